import base64
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from hermes.chain.offline import verify_bundle
from hermes.cli.anchor_words import words_of
from hermes.core.canonical import decode, encode
from hermes.core.message import Message, Text, block_of
from hermes.testing.door import ScriptedDoor
from hermes.testing.proofs import Maker, log_of

FIXTURES = Path(__file__).parents[1] / "chain" / "fixtures"
BLOCK = block_of(
    Message(
        conversation="0199a000-0000-7000-8000-000000000001",
        session="0199a000-0000-7000-8000-000000000002",
        turn="0199a000-0000-7000-8000-000000000003",
        role="user",
        parts=(Text("the bridge\n\x1b[31mholds"),),
        at=1_794_999_000_000,
        node="n",
        salt="5a" * 16,
    )
)
MADE = {
    "bundle": base64.b64encode(b"proof").decode(),
    "cid": BLOCK.cid,
    "shown": True,
    "block": "00" * 32,
    "time": "T",
}


@pytest.fixture(scope="module")
def made():
    return Maker().bundle(log_of([BLOCK.cid]), BLOCK.cid, 0, message=BLOCK.data)


@pytest.fixture
def proof(shell, made):
    (shell.home / "a.hrmb").write_bytes(made.bundle.encode())
    (shell.home / "secret.hrmb").write_bytes(
        msgspec.structs.replace(made.bundle, message=b"").encode()
    )
    (shell.home / "a.headers").write_bytes(made.headers.file())
    return shell


def test_a_proof_is_told_in_plain_words(proof, made):
    assert proof.run("anchor", "verify", "a.hrmb", "--headers", "a.headers") == 0
    assert proof.opened == []
    for said in (
        "The proof holds.",
        f"The message {BLOCK.cid}",
        "by user, 2026-11-18T",
        "  | the bridge",
        "before block 1 of regtest was mined",
        made.headers.tip,
        "1 block holds it",
        "It does not show:",
        "fewer than 6 blocks",
        "on regtest whoever likes makes blocks",
    ):
        assert said in proof.out
    assert "\x1b" not in proof.out


def test_a_block_that_one_believes_is_enough(proof, made):
    assert proof.run("anchor", "verify", "a.hrmb", "--block", made.headers.tip) == 0
    assert "is your word" in proof.out
    assert proof.run("anchor", "verify", "a.hrmb", "--block", "0" * 64) == 1
    assert "another block" in proof.err


def told_of(shell, value):
    """What verify says of a block that somebody made by hand."""
    block = encode(value)
    made = Maker().bundle(log_of([block.cid]), block.cid, 0, message=block.data)
    (shell.home / "odd.hrmb").write_bytes(made.bundle.encode())
    (shell.home / "odd.headers").write_bytes(made.headers.file())
    assert shell.run("anchor", "verify", "odd.hrmb", "--headers", "odd.headers") == 0
    return shell.out


def test_an_entry_cannot_speak_in_our_place(shell):
    said = told_of(shell, {"t": "x)\nIt rests on\x1b[31m bitcoin", "x": 1})
    assert "\nIt rests on bitcoin" not in said
    assert "calls itself 'x) It rests on bitcoin'" in said
    assert "\x1b" not in said


@pytest.mark.parametrize("at", [2**62, -(2**62)])
def test_a_message_of_no_date_is_told_all_the_same(shell, at):
    said = told_of(shell, decode(BLOCK.data) | {"at": at})
    assert f"by user, {at} ms, no date," in said


def test_only_a_genesis_makes_a_log_the_first(made):
    found = verify_bundle(made.bundle.encode(), made.headers)
    assert "this is its log's first" in "\n".join(words_of(found, pinned=False))
    handed = msgspec.structs.replace(found, before="handoff")  # to whom, the bundle cannot show
    said = "\n".join(words_of(handed, pinned=False))
    assert "log's first" not in said
    assert "a handoff, of which nothing is shown" in said


def test_whose_key_it_is_is_the_readers_to_compare(proof):
    assert proof.run("anchor", "verify", "a.hrmb", "--headers", "a.headers") == 0
    assert "  - who that is: compare the Nostr key" in proof.out


def test_json_holds_everything(proof, made):
    assert proof.run("anchor", "verify", "a.hrmb", "--headers", "a.headers", "--json") == 0
    told = json.loads(proof.out)
    assert (told["leaf"], told["height"], told["blocks"]) == (BLOCK.cid, 1, 1)
    assert told["content"]["text"] == "the bridge\n\x1b[31mholds"


def test_the_entry_can_be_compared_with_words_or_a_file(proof):
    words = "the bridge\n\x1b[31mholds"
    (proof.home / "words.txt").write_text(words + "\n")
    (proof.home / "block.cbor").write_bytes(BLOCK.data)
    verify = ("anchor", "verify", "a.hrmb", "--headers", "a.headers", "--message")
    for given in (words, "words.txt", "block.cbor"):
        assert proof.run(*verify, given) == 0
    for given in ("the bridge", "a.headers", "", "x" * 5000):
        assert proof.run(*verify, given) == 1
        assert "says something else" in proof.err


def test_a_proof_without_its_content_takes_the_block_only(proof):
    (proof.home / "block.cbor").write_bytes(BLOCK.data)
    verify = ("anchor", "verify", "secret.hrmb", "--headers", "a.headers")
    assert proof.run(*verify) == 0
    assert "bridge" not in proof.out
    assert "does not say what it holds" in proof.out
    assert proof.run(*verify, "--message", "block.cbor") == 0
    assert "the bridge" in proof.out
    assert proof.run(*verify, "--message", "the bridge") == 1
    assert "salt" in proof.err


def test_what_does_not_hold_ends_with_a_reason(proof, made):
    verify = ("anchor", "verify")
    assert proof.run(*verify, "a.hrmb") == 2
    assert "--headers FILE" in proof.err
    assert proof.run(*verify, "none.hrmb", "--block", "0" * 64) == 2
    assert proof.run(*verify, "a.headers", "--headers", "a.headers") == 1
    assert "no proof bundle" in proof.err
    assert proof.run(*verify, "a.hrmb", "--headers", "a.hrmb") == 1
    assert "no file of headers" in proof.err
    bad = bytearray(made.bundle.encode())
    bad[-1] ^= 1
    (proof.home / "bad.hrmb").write_bytes(bad)
    assert proof.run(*verify, "bad.hrmb", "--headers", "a.headers") == 1
    assert proof.out == ""
    assert proof.run(*verify, "a.hrmb", "--headers", "a.headers", "--block", "0" * 64) == 2


def test_torn_headers_are_noticed(proof, made):
    (proof.home / "torn.headers").write_bytes(made.headers.file() + b"torn")
    assert proof.run("anchor", "verify", "a.hrmb", "--headers", "torn.headers") == 0
    assert "4 bytes were left out" in proof.err


def test_prove_writes_a_new_file_only(shell):
    shell.door = ScriptedDoor(answers={"anchor.prove": lambda **_: dict(MADE)})
    assert shell.run("anchor", "prove", "the bridge", "--out", "p.hrmb") == 0
    assert (shell.home / "p.hrmb").read_bytes() == b"proof"
    assert shell.door.asked("anchor.prove") == [{"name": "the bridge", "show": True}]
    assert shell.run("anchor", "prove", "the bridge", "--out", "p.hrmb") == 2
    assert shell.run("anchor", "prove", "x", "--secret", "--out", "q.hrmb", "--json") == 0
    assert shell.door.asked("anchor.prove")[1:] == [{"name": "x", "show": False}]
    assert json.loads(shell.out)["bytes"] == 5


def test_headers_are_copied_out_of_the_nodes_own(shell, made):
    own = shell.home / "regtest.headers"
    own.write_bytes(made.headers.file() + b"torn")
    told = {"path": str(own), "network": "regtest", "start": 0, "height": 1, "tip": "ab"}
    shell.door = ScriptedDoor(answers={"anchor.headers": lambda **_: dict(told)})
    assert shell.run("anchor", "headers", "--out", "out.headers", "--from", "0:ab") == 0
    assert (shell.home / "out.headers").read_bytes() == made.headers.file()
    assert shell.door.asked("anchor.headers") == [{"start": "0:ab"}]
    assert "blocks 0 to 1 of regtest" in shell.out
    assert shell.run("anchor", "headers", "--out", "out.headers") == 2
    assert shell.run("anchor", "headers", "--json") == 0
    assert json.loads(shell.out)["path"] == str(own)


GUARDED = """
import sys

def guard(event, args):
    if event.startswith("socket.") and event not in {"socket.__new__", "socket.gethostname"}:
        raise AssertionError(event)
    if event == "sqlite3.connect":
        raise AssertionError(event)

sys.addaudithook(guard)
from hermes.cli.main import main
code = main()
heavy = {"hermes.node.owner", "hermes.node.attach", "hermes.store.database", "aiosqlite"}
assert not heavy & sys.modules.keys(), sorted(heavy & sys.modules.keys())
sys.exit(code)
"""


def test_verify_needs_no_node_no_store_no_identity_and_no_network(tmp_path):
    home = tmp_path / "empty"
    home.mkdir()
    proof, headers = FIXTURES / "bundle-1.hrmb", FIXTURES / "headers-1.hrmh"
    done = subprocess.run(
        [sys.executable, "-c", GUARDED, "anchor", "verify", proof, "--headers", headers],
        env={"HERMES_V2_HOME": str(home), "PATH": "/nowhere", "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "The proof holds." in done.stdout
    assert "  | message 3" in done.stdout
    assert list(home.rglob("*")) == []
