"""Two `hermes node`s that meet by a one-time code: real processes, real relays of their own."""

import contextlib
import json
import signal
import socket
import time
from pathlib import Path

import pytest
from test_node_process import LIMIT_S, hermes, node

from benchmarks.measure import home

pytestmark = pytest.mark.timeout(240)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Machine:
    """A home whose node listens, and has an identity of its own."""

    def __init__(self, env, *, listens=True, relays=()):
        self.env = env
        self.port = free_port()
        self.url = f"ws://127.0.0.1:{self.port}"
        lines = ["[mesh]", "presence_s = 1.0", f"relays = {json.dumps(list(relays))}"]
        if listens:
            lines += [f'listen = "127.0.0.1:{self.port}"', f'advertise = "{self.url}"']
        config = Path(env["HERMES_V2_HOME"], "config")
        config.mkdir(parents=True)
        (config / "config.toml").write_text("\n".join(lines) + "\n")

    def ask(self, *words):
        done = hermes(self.env, *words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def found(self):
        self.ask("identity", "init", "--unattended")

    def until(self, holds, words=("peers", "list")):
        """Ask until the answer is as it should be."""
        until = time.monotonic() + LIMIT_S
        while not holds(answer := self.ask(*words)):
            assert time.monotonic() < until, answer
            time.sleep(0.2)
        return answer


@contextlib.contextmanager
def machine(**how):
    with home() as env:
        yield Machine(env, **how)


def states(rows):
    return {row["state"] for row in rows}


@pytest.mark.slow
def test_nodes_meet_by_a_code_part_by_death_and_by_revocation():
    with machine() as desk, machine(listens=False, relays=[desk.url]) as laptop:
        desk.found()
        laptop.found()
        with node(desk.env) as first, node(laptop.env) as second:
            first.until("mesh: ")
            second.until("mesh: ")
            code = desk.ask("peers", "invite", "--name", "laptop")["code"]
            assert code.startswith("hermes1")
            joined = laptop.ask("peers", "join", code)
            assert joined["npub"] == desk.ask("identity", "show")["npub"]
            for one in (desk, laptop):
                one.until(lambda rows: states(rows) == {"this node", "alive"})
            used = hermes(laptop.env, "peers", "invite")
            assert used.returncode == 0  # a member may invite into its own fleet
            assert second.end(signal.SIGTERM)[0] == 0
            gone = desk.until(lambda rows: states(rows) & {"suspect", "dead", "quiet"})
            assert len(gone) == 2
        with node(desk.env) as first, node(laptop.env) as second:
            for one in (desk, laptop):  # who is in is on disk
                one.until(lambda rows: states(rows) == {"this node", "alive"})
            key = laptop.ask("identity", "show")["npub"]
            desk.ask("peers", "revoke", key, "--reason", "lost")
            desk.until(lambda rows: "revoked" in states(rows))
            laptop.until(lambda rows: len(rows) == 1)
            assert first.end(signal.SIGTERM)[0] == 0
            assert second.end(signal.SIGTERM)[0] == 0


@pytest.mark.slow
def test_a_code_lets_in_one_node():
    with machine() as desk, machine(relays=[desk.url]) as one, machine(relays=[desk.url]) as two:
        for each in (desk, one, two):
            each.found()
        with node(desk.env) as first, node(one.env) as second, node(two.env) as third:
            for each in (first, second, third):
                each.until("mesh: ")
            code = desk.ask("peers", "invite")["code"]
            one.ask("peers", "join", code)
            refused = hermes(two.env, "peers", "join", code)
            assert refused.returncode == 4
            assert "no answer" in refused.stderr
            assert len(desk.ask("peers", "list")) == 2


def test_without_an_identity_it_says_what_is_missing_and_goes_on_once_it_is_there():
    with machine() as desk, node(desk.env) as running:
        running.until("mesh: there is no identity yet (run: hermes identity init)")
        assert hermes(desk.env, "peers", "invite").returncode == 4
        checks = {
            one["check"]: one
            for one in json.loads(hermes(desk.env, "doctor", "--quick", "--json").stdout)
        }
        assert checks["relay"]["ok"]
        assert not checks["mesh"]["ok"]
        assert "identity init" in checks["mesh"]["remedy"]
        desk.found()
        running.until("mesh: 1 of 1 relays")
        running.until("direct messages: listening")
        code, seconds = running.end(signal.SIGTERM)
        assert code == 0, running.said
        assert seconds < 5
        assert "Traceback" not in running.said
        assert "panicked" not in running.said
