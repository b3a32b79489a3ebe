"""Real nodes: they cosign each other, and a stranger who has an npub reads and checks it."""

import json
import signal
from pathlib import Path

import pytest
from test_node_process import hermes, node
from test_node_process_mesh import machine

from benchmarks.measure import home

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def often(one):
    """Sign the log every three seconds."""
    path = Path(one.env["HERMES_V2_HOME"], "config", "config.toml")
    path.write_text("checkpoint_minutes = 0.05\n" + path.read_text())


def test_members_cosign_and_a_stranger_checks_it_by_an_npub_alone():
    with machine() as desk, machine(listens=False, relays=[desk.url]) as laptop, home() as nobody:
        for one in (desk, laptop):
            one.found()
            often(one)
        with node(desk.env) as first, node(laptop.env) as second:
            first.until("mesh: ")
            second.until("mesh: ")
            laptop.ask("peers", "join", desk.ask("peers", "invite")["code"])
            for one in (desk, laptop):
                one.until(
                    lambda told: any(row["holds"] for row in told["cosigned"]),
                    ("log", "witnesses"),
                )
            npub = desk.ask("identity", "show")["npub"]
            other = laptop.ask("identity", "show")["roles"]["nostr"]

            def look(*more):
                asked = ("trust", "show", "--npub", npub, "--relay", desk.url, "--json", *more)
                done = hermes(nobody, *asked)
                return json.loads(done.stdout) if done.returncode == 0 else done.stderr

            def checked(told):
                return [one["node"] for one in told["cosigners"]] == [other]

            stranger = _Asking(look)
            told = stranger.until(checked)
            assert told["relays"] == {desk.url: ""}
            assert told["here_until"]
            assert told["card"]["checkpoint"]
            assert told["reads_at"] == [desk.url]
            doctor = json.loads(hermes(desk.env, "doctor", "--quick", "--json").stdout)
            (check,) = [one for one in doctor if one["check"] == "cosigning"]
            assert check["ok"]
            # What was seen is kept: the same relays with less are a roll-back.
            (kept,) = Path(nobody["HERMES_V2_HOME"], "data", "others").iterdir()
            assert kept.read_text() == told["note"]
            nothing = hermes(nobody, "trust", "verify", "--npub", npub, "--relay", desk.url)
            assert nothing.returncode == 1
            assert "nothing of it is in a block" in nothing.stderr
            assert first.end(signal.SIGTERM)[0] == 0
            assert second.end(signal.SIGTERM)[0] == 0


class _Asking:
    """Asks until it is answered as it should be."""

    def __init__(self, ask):
        self._ask = ask

    def until(self, holds):
        for _ in range(40):
            told = self._ask()
            if isinstance(told, dict) and holds(told):
                return told
        raise AssertionError(told)
