"""One of the good patches through its whole life, by commands, beside a node that runs."""

import json
import shutil
import time
from pathlib import Path

import pytest
from gate_house import checked_in, whole
from gate_machine import Machine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ROOT = Path(__file__).resolve().parents[2]
PATCH = ROOT / "tests" / "patches" / "faster-due.patch"
BUDGET = {"wall_s": 600, "cpu_s": 600, "pairs": 40, "acceptance_s": 10, "benchmarks_s": 400}


@pytest.fixture
def machine(tmp_path, standing):
    standing.require("A", "A-")
    checkout = whole(tmp_path / "checkout")
    plain = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "benchmarks", checkout / "benchmarks", ignore=plain, dirs_exist_ok=True)
    (checkout / "ci").mkdir()
    budgets = {"tiers": {"micro": BUDGET}, "benchmarks": {"micro": ["due"]}}
    (checkout / "ci" / "budgets.json").write_text(json.dumps(budgets))
    made = Machine(tmp_path, checked_in(checkout))
    yield made
    made.close()


def until(machine: Machine, *words: str, holds) -> dict:
    """Ask until it holds."""
    deadline = time.monotonic() + 60
    while not holds(told := machine.told(*words)):
        assert time.monotonic() < deadline, told
        time.sleep(0.2)
    return told


def test_tried_adopted_kept_and_taken_back(machine):
    assert machine.hermes("identity", "init", "--unattended").returncode == 0
    script = machine.home / "script.jsonl"
    script.write_text('{"text": "here"}\n')
    with machine.node() as node:
        done = machine.hermes(
            "successor", "run", str(PATCH), "--task", "benchmark due", "--goal", "better",
            "--effort", "micro", "--json", wait_s=800,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        shown = json.loads(done.stdout)
        ratios = [one for stage in shown["verdict"]["evidence"] for one in stage["ratios"]]
        assert [(one["name"], one["word"]) for one in ratios] == [("due", "faster")]
        name, diff = shown["candidate"]["cid"], shown["diff_sha256"]

        assert machine.told("approve", name, "--diff", diff, "--wait")["runs"] == "v0.2.0"
        (version,) = until(machine, "show", holds=lambda told: told[0]["taken"]["cid"])
        assert (version["named"]["stands"], version["taken"]["stands"]) == ("signed", "signed")
        assert machine.told("status")["stage"] == "probation"
        assert machine.hermes("--version").stdout.splitlines()[1] == "v0.2.0, adopted here"
        doctor = machine.hermes("doctor", "--quick").stdout
        assert "v0.2.0 is on it, the installed code comes back if it fails" in doctor

        for _ in range(2):
            done = machine.hermes("chat", "-m", "hello", "--model", f"scripted:{script}")
            assert (done.returncode, done.stdout) == (0, "here\n"), done.stderr
        until(machine, "status", holds=lambda told: not told["stage"])
        assert machine.told("show")[0]["outcome"] == "kept"

        assert machine.told("rollback", "--reason", "seen enough")["left"] == "v0.2.0"
        node.hear("runs: process")
        assert machine.told("status")["runs"] == ""
        walk = json.loads(machine.hermes("trust", "show", "--json").stdout)
        (version,) = walk["versions"]
        assert [version[name]["stands"] for name in ("named", "taken")] == ["signed", "signed"]
        assert version["outcome"] == "rolled back"
        for name in ("named", "taken"):  # leaves of the log: the next anchor holds them
            assert machine.hermes("log", "prove", version[name]["cid"]).returncode == 0
    assert machine.hermes("--version").stdout == "hermes 0.1.0\n"
    verified = machine.hermes("log", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
