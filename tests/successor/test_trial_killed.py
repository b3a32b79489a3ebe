"""A process that dies over a trial, by `kill -9`: nothing is shown as running that nobody runs."""

import json
import os
import signal
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from gate_house import whole
from gate_machine import HERMES, Machine
from git_words import git

from hermes.successor.order import Order
from hermes.successor.waiting import Waiting

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
MAIN = "hermes/cli/main.py"
SAYS = 'print(f"hermes {__version__}")'
SLOW = '__import__("time").sleep(4); raise SystemExit(7)'
WAIT_S = 90


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    return whole(tmp_path_factory.mktemp("whole") / "checkout")


@pytest.fixture(scope="module")
def patch(checkout):
    place = checkout / MAIN
    before = place.read_text()
    assert before.count(SAYS) == 1
    place.write_text(before.replace(SAYS, SLOW))
    diff = git(checkout, "diff", "--no-ext-diff")
    place.write_text(before)
    return diff


@pytest.fixture
def machine(standing, checkout):
    """Its trees lie in it: else it would wait for every other trial of this machine."""
    with tempfile.TemporaryDirectory(prefix="hermes-open-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        made = Machine(Path(name), checkout)
        made.data.mkdir()
        yield made
        for folder, _, _ in os.walk(name):
            Path(folder).chmod(0o755)


def states(machine):
    """Every trial's state as it lies on the disk, the oldest first."""
    try:
        with sqlite3.connect(f"file:{machine.data}/hermes.db?mode=ro", uri=True) as store:
            return [row[0] for row in store.execute("SELECT state FROM trials ORDER BY seq")]
    except sqlite3.OperationalError:  # it is not made yet
        return []


def until(machine, *wanted):
    end = time.monotonic() + WAIT_S
    while states(machine) != list(wanted):
        assert time.monotonic() < end, states(machine)
        time.sleep(0.05)


def test_a_run_that_is_killed_is_over_and_counts(machine, patch):
    file = machine.home / "slow.patch"
    file.write_text(patch)
    words = ["successor", "run", str(file), "--effort", "micro", "--task", "it starts"]
    with subprocess.Popen(
        [*HERMES, *words], env=machine.env, cwd=machine.home,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as run:  # fmt: skip
        until(machine, "intent")
        run.kill()
    assert states(machine) == ["intent"]
    (row,) = machine.told("list")
    assert (row["state"], row["why"], row["stage"]) == ("failed", "its process died", "")
    stops = machine.told("status")["stops"]
    assert (stops["begun_today"], stops["failures"]) == (1, 1)
    # The same change is tried anew, to its end; who breaks it off is told apart.
    with subprocess.Popen(
        [*HERMES, *words], env=machine.env, cwd=machine.home,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as run:  # fmt: skip
        until(machine, "failed", "intent")
        run.send_signal(signal.SIGINT)
    assert states(machine) == ["failed", "failed"]
    done = machine.hermes(*words, "--json")
    assert done.returncode == 3, done.stderr
    assert json.loads(done.stdout)["verdict"]["word"] == "reject"
    whys = [one["why"] for one in machine.told("list")]
    assert whys == ["", "it was broken off", "its process died"]


def test_a_proposal_whose_node_is_killed_is_tried_by_the_next(machine, patch):
    order = Order(patch=patch.encode(), task="it starts", by="agent", effort="micro")
    Waiting(machine.data).add(order)
    with machine.node() as node:
        until(machine, "intent")
        (row,) = machine.told("list")
        assert (row["state"], row["stage"]) in {("intent", name) for name in ("", "lint", "starts")}
        os.kill(node.process.pid, signal.SIGKILL)
        node.process.wait()
    with machine.node() as node:
        until(machine, "failed", "judged")
        assert [one["why"] for one in machine.told("list")] == ["", "its process died"]
        assert machine.told("status")["stops"]["begun_today"] == 2
        assert node.end() in {0, -15, 143}
    assert Waiting(machine.data).names() == []
