"""`hermes anchor now|status|resume` at a scripted door; the owner's side is tests/node's."""

import base64
import json

import pytest

from hermes.errors import CoinGone, NotAvailable
from hermes.testing.door import ScriptedDoor

ROW = {
    "id": "a1",
    "kind": "checkpoint",
    "state": "seen",
    "txid": "ab" * 32,
    "fee": 318,
    "rate": 2.0,
    "attempts": 1,
    "height": None,
    "block": "",
    "size": 7,
    "leaf": "bafyreileaf",
    "asked": "T",
    "says": "",
}
MINED = ROW | {"state": "mined", "height": 103, "block": "00" * 32}
STATUS = {
    "genesis": "bafyreigenesis",
    "address": "bcrt1qpay",
    "coin_address": "bcrt1qcoin",
    "server": "core+http://127.0.0.1:1",
    "network": "regtest",
    "fee_rate_most": 50.0,
    "fee_most": 20_000,
    "month_most": 100_000,
    "month_spent": 636,
    "halted": None,
    "anchors": [ROW],
}
HALTED = {"coin": "c:1", "spender": "t", "says": "somebody else spent the continuity coin c:1"}


def test_now_says_what_was_made(shell):
    shell.door = ScriptedDoor(answers={"anchor.now": ROW})
    assert shell.run("anchor", "now", "--regtest", "--fee-rate", "2.5") == 0
    assert f"checkpoint anchor, seen: {'ab' * 32}" in shell.out
    assert "318 sat, 2.0 sat/vB" in shell.out
    asked = {"rate": 2.5, "fingerprint": "", "regtest": True}
    assert shell.door.queries == [("anchor.now", asked)]


def test_what_waits_says_why(shell):
    draft = ROW | {"state": "draft", "txid": "", "fee": None, "says": "fees are at 80.0 sat/vB"}
    shell.door = ScriptedDoor(answers={"anchor.now": draft})
    assert shell.run("anchor", "now") == 0
    assert "draft: fees are at 80.0 sat/vB" in shell.out


def test_wait_asks_until_it_is_that_far(shell):
    states = iter(({**ROW, "state": "sent"}, ROW, MINED))
    shell.door = ScriptedDoor(
        answers={"anchor.now": ROW, "anchor.wait": lambda **given: next(states)}
    )
    assert shell.run("anchor", "now", "--wait", "mined", "--json") == 0
    assert json.loads(shell.out)["state"] == "mined"
    assert [name for name, _ in shell.door.queries] == ["anchor.now", *["anchor.wait"] * 3]


def test_a_lost_anchor_ends_the_wait(shell):
    lost = ROW | {"state": "lost"}
    shell.door = ScriptedDoor(answers={"anchor.now": ROW, "anchor.wait": lost})
    assert shell.run("anchor", "now", "--wait", "mined") == 1
    assert "the anchor is lost" in shell.err


@pytest.mark.parametrize("wait", [(), ("--wait", "sent"), ("--wait", "mined")])
def test_out_waits_for_a_block_and_writes_the_proof(shell, wait):
    made = {"bundle": base64.b64encode(b"proof").decode()}
    shell.door = ScriptedDoor(
        answers={"anchor.now": ROW, "anchor.wait": MINED, "anchor.prove": made}
    )
    assert shell.run("anchor", "now", "--out", "a.hrmb", *wait) == 0
    assert (shell.home / "a.hrmb").read_bytes() == b"proof"
    assert shell.door.queries[-1] == ("anchor.prove", {"name": "bafyreileaf", "show": False})
    assert shell.run("anchor", "now", "--out", "a.hrmb") == 2
    assert "exists already" in shell.err


def test_status_shows_the_address_and_every_anchor(shell):
    shell.door = ScriptedDoor(answers={"anchor.status": STATUS})
    assert shell.run("anchor", "status") == 0
    for said in ("bcrt1qpay", "636 of 100000 sat", "checkpoint", "seen", "ab" * 32):
        assert said in shell.out
    assert "HALTED" not in shell.out
    assert shell.run("anchor", "status", "--json") == 0
    assert json.loads(shell.out) == STATUS


def test_the_alarm_stands_first(shell):
    shell.door = ScriptedDoor(answers={"anchor.status": STATUS | {"halted": HALTED}})
    assert shell.run("anchor", "status") == 0
    assert shell.out.startswith("HALTED: somebody else spent the continuity coin")


def test_the_coin_gone_is_refused_with_3_and_no_money_with_4(shell):
    shell.door = ScriptedDoor(answers={"anchor.now": CoinGone("somebody", "look")})
    assert shell.run("anchor", "now") == 3
    shell.door = ScriptedDoor(answers={"anchor.now": NotAvailable("no deposit", "pay")})
    assert shell.run("anchor", "now") == 4
    assert "pay" in shell.err
    shell.door = ScriptedDoor(answers={"anchor.resume": {"halted": None}})
    assert shell.run("anchor", "resume") == 0


def test_rates_that_nobody_relays_are_usage(shell, capsys):
    for rate in ("0.5", "-1", "nan", "1e9", "x"):
        assert shell.run("anchor", "now", f"--fee-rate={rate}") == 2
        assert shell.run("anchor", "handoff", "stake", "--to=x", f"--fee-rate={rate}") == 2
        assert capsys.readouterr().err.count("argument --fee-rate") == 2


def test_the_fingerprint_is_typed_on_the_main_network(shell):
    config = shell.home / "state" / "config"
    config.mkdir(parents=True)
    (config / "config.toml").write_text('[chain]\nnetwork = "main"\n')
    shell.door = ScriptedDoor(answers={"anchor.now": ROW})
    assert shell.run("anchor", "now", "--fingerprint", "abcd1234") == 0
    assert shell.run("anchor", "now", stdin="typed\n") == 0  # a pipe types nothing
    assert [given["fingerprint"] for _, given in shell.door.queries] == ["abcd1234", ""]


@pytest.mark.slow  # the doctor starts what it looks at
def test_the_doctor_shows_the_alarm(shell):
    record = shell.home / "state" / "data" / "identity" / "genesis.cbor"
    record.parent.mkdir(parents=True)
    record.write_bytes(b"")
    shell.running = True
    stops = {"stops": {"reason": "", "remedy": "", "begun_today": 0, "most_a_day": 48}}
    answers = {"anchor.status": STATUS | {"halted": HALTED}, "successor.status": stops}
    shell.door = ScriptedDoor(answers=answers)
    assert shell.run("doctor", "--quick") == 1
    assert HALTED["says"] in shell.out
    shell.door = ScriptedDoor(answers=answers | {"anchor.status": STATUS})
    shell.run("doctor", "--quick")
    assert "1 on regtest" in shell.out
