import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from hermes.cli.trust_tree import tree_lines
from hermes.errors import CoinGone, Refused
from hermes.identity.statements import MEMBER, SOUL
from hermes.testing.door import ScriptedDoor
from hermes.testing.lineages import AFTER, RECOVERY, Line, who

AT = 1_795_000_000_000
A = who("a", recovery=True)
B = who("b", recovery=True)
C = who("c", parent=B.genesis.cid)
NODE = "11" * 32


@pytest.fixture(scope="module")
def made():
    line = Line(A)
    for size in range(1, 13):
        line.checkpoint(size)
    line.handoff(B, verdict=C.genesis.cid)
    line.checkpoint(2)
    line.recover(C)
    new = {"soul": "ab" * 32, "genesis": C.genesis.cid, "at": AT, "previous": ""}
    fleet = {"node": NODE, "roles": ["worker"], "since": AT, "until": 0, "at": AT}
    return line.made([C.says(SOUL, new), C.says(MEMBER, fleet)])


@pytest.fixture
def walk(shell, made):
    (shell.home / "line.hrml").write_bytes(made.lineage.encode())
    (shell.home / "a.headers").write_bytes(made.headers.file())
    return shell


def test_the_walk_is_drawn_as_a_tree(walk, made):
    assert walk.run("trust", "verify", "line.hrml", "--headers", "a.headers") == 0
    assert walk.opened == []
    lines = walk.out.splitlines()
    assert lines[0] == "The walk holds."
    assert lines[2].startswith("regtest: 16 moves of the coin, which holds ")
    assert lines[3] == f"{A.genesis.name}  {A.genesis.cid}"
    assert f"├─ recovery {RECOVERY.public_key.format().hex()}, 12 blocks after" in walk.out
    assert "├─ … 5 anchors between" in walk.out
    assert "├─ since    2026-11-18T" in walk.out
    assert (
        f"└─ handoff  2026-11-18T11:06:40.000Z, at 9 entries of the log, verdict {C.genesis.cid}"
        in walk.out
    )
    assert f"   {B.genesis.name}  {B.genesis.cid}\n" in walk.out
    assert f"   └─ recovery by {RECOVERY.public_key.format().hex()}" in walk.out
    assert f"      {C.genesis.name}  {C.genesis.cid}  (now)" in walk.out
    assert f"      ├─ soul     {'ab' * 32}, attested 2026" in walk.out
    assert f"      ├─ member   {NODE}, worker\n" in walk.out
    assert f"block {made.headers.hash_at(1)}" in walk.out
    assert "height 1, 1 block holds it" in walk.out
    assert "who holds the keys today" in walk.out
    assert "\x1b" not in walk.out


def test_without_unicode_the_tree_is_ascii(walk):
    done = walk.run("trust", "verify", "line.hrml", "--headers", "a.headers", encoding="ascii")
    assert done == 0
    assert walk.out.isascii()
    assert "`- handoff" in walk.out
    assert "|- ... 5 anchors between" in walk.out


def test_one_blocks_hash_is_enough(walk, made):
    block = made.headers.hash_at(1)
    assert walk.run("trust", "verify", "line.hrml", "--block", block) == 0
    assert "that block is yours to believe" in walk.out
    assert walk.run("trust", "verify", "line.hrml", "--block", "00" * 32) == 1
    assert "another block" in walk.err


def test_json_says_the_same(walk, made):
    assert walk.run("trust", "verify", "line.hrml", "--headers", "a.headers", "--json") == 0
    told = json.loads(walk.out)
    assert [one["by"] for one in told["instances"]] == ["genesis", "handoff", "recovery"]
    assert told["place"]["block"] == made.headers.hash_at(1)
    assert told["now"] == C.genesis.cid
    assert told["instances"][0]["recovery_after"] == AFTER
    assert [one["node"] for one in told["instances"][2]["members"]] == [NODE]


def test_a_spoilt_file_is_refused_with_the_part(walk, made):
    links = made.lineage.links
    for name, data, why in (
        ("cut", made.lineage.encode()[:-9], "cut short"),
        ("none", b"{}", "no lineage of Hermes"),
        ("swap", spoilt(made, (links[1], links[0], *links[2:])), "link 0: "),
        ("gone", spoilt(made, (*links[:5], *links[6:])), "link 5: "),
    ):
        (walk.home / name).write_bytes(data)
        assert walk.run("trust", "verify", name, "--headers", "a.headers") == 1
        assert why in walk.err
        assert walk.out == ""


def spoilt(made, links):
    return type(made.lineage)(
        made.lineage.genesis, tuple(links), made.lineage.statements, made.lineage.place
    ).encode()


def test_what_one_believes_has_to_be_said(walk):
    assert walk.run("trust", "verify", "line.hrml") == 2
    assert "blocks that you believe" in walk.err
    assert walk.run("trust", "verify", "nowhere", "--block", "00" * 32) == 2


def test_verify_loads_no_node_and_no_network(walk):
    """In a process of its own: neither the store nor an owner is imported."""
    hermes = Path(sys.executable).with_name("hermes")
    words = ("trust", "verify", "line.hrml", "--headers", "a.headers")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", hermes, *words],
        cwd=walk.home,
        env={"HERMES_V2_HOME": str(walk.home / "no"), "PATH": "/usr/bin:/bin", "HOME": "/"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("The walk holds.")
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "hermes.chain.lineage" in loaded
    assert loaded & {"hermes.node.owner", "hermes.store.store", "aiosqlite"} == set()
    assert not (walk.home / "no").exists()


def told(made):
    return {
        "network": "regtest",
        "links": 1,
        "coin": "",
        "sat": 0,
        "now": "x",
        "own": "x",
        "waiting": [{"kind": "checkpoint", "state": "sent", "says": "fees\x1b[31m are high"}],
        "instances": [
            {
                "genesis": "x",
                "log": "hermes/\x1b[2Jx",
                "by": "genesis",
                "at": "T",
                "soul": "s",
                "keys": dict.fromkeys(("nostr", "attest", "owner", "coin", "log"), "k"),
                "recovery": "",
                "recovery_after": 0,
                "handoff": None,
                "souls": [],
                "members": [{"node": "n", "roles": [], "until": AT}],
                "anchors": [
                    {"kind": "genesis", "txid": "t", "sat": 1, "state": "final", "height": 7}
                ],
            }
        ],
    }


def test_show_draws_what_the_node_knows(shell, made):
    shell.door = ScriptedDoor(answers={"trust.show": told(made)})
    assert shell.run("trust", "show") == 0
    assert "regtest: 1 move of the coin\nhermes/x  x  (now)\n" in shell.out
    assert "├─ member   n, no role, until 2026-11-18T" in shell.out
    assert "└─ anchor   t, genesis, block 7, final" in shell.out
    assert "not in a block yet: checkpoint, sent, fees are high" in shell.out
    assert "\x1b" not in shell.out
    assert shell.run("trust", "show", "--json") == 0
    assert json.loads(shell.out)["now"] == "x"


def test_show_names_the_versions_that_ran_here(shell, made):
    version = {
        "tag": "v0.2.0", "version": "a" * 40, "tree": "b" * 64, "previous": "", "outcome": None,
        "named": {"cid": "c", "at": 1_700_000_000_000, "stands": "signed"},
        "taken": {"cid": "", "at": 0, "stands": "missing"},
    }  # fmt: skip
    shell.door = ScriptedDoor(answers={"trust.show": told(made) | {"versions": [version]}})
    assert shell.run("trust", "show") == 0
    _, versions = shell.out.split("\nversions that ran here\n")
    assert versions.splitlines() == [
        "v0.2.0  commit aaaaaaaaaaaa, tree bbbbbbbbbbbb, in force",
        "  named by the installed code: signed 2023-11-14T22:13:20.000Z, c",
        "  taken by v0.2.0: nothing yet",
    ]


def test_export_writes_a_new_file_only(shell):
    answer = {"file": base64.b64encode(b"HRML").decode(), "links": 2, "instances": 1, "bytes": 4}
    shell.door = ScriptedDoor(answers={"trust.export": lambda **_: dict(answer)})
    assert shell.run("trust", "export", "--out", "a") == 0
    assert (shell.home / "a").read_bytes() == b"HRML"
    assert "4 bytes, 1 instance, 2 moves" in shell.out
    assert shell.run("trust", "export", "--out", "a") == 2
    assert "exists" in shell.err


def test_a_handoff_goes_through_files(shell):
    file = base64.b64encode(b"signed").decode()
    done = {"id": "i", "txid": "t", "fee": 1, "old": "o", "new": "n", "sat": 1000}
    shell.door = ScriptedDoor(
        answers={
            "anchor.handoff.stake": done,
            "anchor.handoff.offer": {"file": file},
            "anchor.handoff.accept": {"file": file},
            "anchor.handoff.finish": done,
            "anchor.wait": {"state": "settled", "says": ""},
        }
    )
    (shell.home / "new.cbor").write_bytes(b"record")
    record = base64.b64encode(b"record").decode()
    handoff = ("anchor", "handoff")
    assert shell.run(*handoff, "stake", "--to", "new.cbor", "--fee-rate", "3") == 0
    assert shell.door.asked("anchor.handoff.stake")[0] == {
        "to": record,
        "rate": 3.0,
        "fingerprint": "",
    }
    assert shell.run(*handoff, "offer", "--to", "new.cbor", "--out", "offer", "--verdict", "v") == 0
    assert shell.door.asked("anchor.handoff.offer")[0]["verdict"] == "v"
    assert (shell.home / "offer").read_bytes() == b"signed"
    assert shell.run(*handoff, "accept", "offer", "--out", "answer") == 0
    assert shell.door.asked("anchor.handoff.accept")[0]["file"] == file
    assert shell.run(*handoff, "finish", "answer", "--wait", "mined", "--json") == 0
    assert json.loads(shell.out)["state"] == "settled"
    assert shell.run(*handoff, "accept", "offer", "--out", "answer") == 2
    shell.door = ScriptedDoor(answers={"anchor.handoff.finish": CoinGone("spent already")})
    assert shell.run(*handoff, "finish", "answer") == 3
    assert "spent already" in shell.err


def test_a_recovery_before_its_time_asks_for_no_key(shell):
    draft = {"psbt": "p", "old": "o", "new": "n", "fee_most": 1, "fee_rate_most": 1.0}
    shell.door = ScriptedDoor(answers={"anchor.recover": draft | {"blocks_left": 3}})
    (shell.home / "line").write_bytes(b"HRML")
    assert shell.run("anchor", "recover", "--record", "line", "--key", "nowhere") == 3
    assert "3 blocks are left" in shell.err
    shell.door = ScriptedDoor(answers={"anchor.recover": draft | {"blocks_left": 0}})
    assert shell.run("anchor", "recover", "--record", "line", "--key", "nowhere") == 3
    assert not shell.door.asked("anchor.recover.finish")


def test_a_tree_of_many_anchors_is_short(made):
    one = told(made)["instances"][0]
    many = one | {"anchors": one["anchors"] * 1000}
    lines = tree_lines(told(made) | {"instances": [many]})
    assert len(lines) < 30
    assert any("992 anchors between" in line for line in lines)


def test_a_refusal_keeps_its_exit_code(shell):
    shell.door = ScriptedDoor(answers={"trust.export": Refused("no", "why")})
    assert shell.run("trust", "export", "--out", "x") == 3
    assert not (shell.home / "x").exists()
