import hashlib
import json
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from hermes.chain.calendar import Calendar
from hermes.chain.stamp_tree import promise
from hermes.chain.stamps import blinded, read_proof, signed_digest, stamped
from hermes.core.clock import SystemClock
from hermes.errors import NotAvailable
from hermes.store.store import Store
from hermes.testing.door import ScriptedDoor
from tests.chain.stamp_regtest import SETTLED, header_file, regtest

CHILD = Path(__file__).parents[1] / "chain" / "stamp_child.py"
URI = "http://127.0.0.1:14788"
TEXT = b"hello"
EVENT, SIGNATURE = "01" * 32, "02" * 64


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two proofs from a real calendar, before and after their block; the chain's headers."""

    async def make():
        path = tmp_path_factory.mktemp("calendar") / "hermes.db"
        async with (
            Store.open(path, SystemClock()) as store,
            regtest() as (chain, batcher),
        ):
            calendar = Calendar(store.stamps, URI, batcher)
            found = {}
            event = signed_digest(bytes.fromhex(EVENT), bytes.fromhex(SIGNATURE))
            for name, digest in (("text", hashlib.sha256(TEXT).digest()), ("event", event)):
                answer = await calendar.add(blinded(digest, bytes(16)))
                found[name] = stamped(digest, bytes(16), answer)
            await calendar.close_batch()
            await chain.mine(SETTLED)
            await calendar.refresh()
            found["ways"] = {}
            for name in ("text", "event"):
                commitment = found[name].promised()[0].commitment
                way = (await calendar.find(commitment)).way
                found["ways"][commitment.hex()] = way
                found[f"{name} upgraded"] = found[name].upgraded(commitment, way)
            found["height"] = chain.tip.height - SETTLED + 1
            found["headers"] = await header_file(chain)
            return found

    return anyio.run(make)


@pytest.fixture
def folder(shell, made):
    """The shell stands beside a text, its proof, and headers."""
    (shell.home / "a.txt").write_bytes(TEXT)
    (shell.home / "a.txt.ots").write_bytes(made["text upgraded"].encode())
    (shell.home / "event.ots").write_bytes(made["event upgraded"].encode())
    (shell.home / "pending.ots").write_bytes(made["text"].encode())
    (shell.home / "h").write_bytes(made["headers"])
    return shell.home


def calendar_of(digest):
    _, answer = promise(bytes.fromhex(digest), b"n" * 16, URI)
    return {"uri": URI, "answer": answer.hex()}


def test_a_file_is_stamped_without_showing_its_digest(shell):
    shell.door = ScriptedDoor(answers={"timestamp.add": calendar_of})
    (shell.home / "a.txt").write_bytes(TEXT)
    assert shell.run("timestamp", "stamp", "a.txt") == 0
    assert f"a.txt.ots: promised by {URI}" in shell.out
    proof = read_proof((shell.home / "a.txt.ots").read_bytes())
    assert proof.digest == hashlib.sha256(TEXT).digest()
    assert shell.door.asked("timestamp.add") != [{"digest": proof.digest.hex()}]
    assert shell.run("timestamp", "stamp", "a.txt") == 2  # it is there: nothing is promised anew
    assert len(shell.door.asked("timestamp.add")) == 1
    assert shell.run("timestamp", "stamp", "a.txt", "--out", "b.ots", "--json") == 0
    told = json.loads(shell.out)
    assert (told["digest"], told["promised"]) == (proof.digest.hex(), [URI])


def test_an_event_is_stamped_with_its_signature(shell):
    shell.door = ScriptedDoor(answers={"timestamp.add": calendar_of})
    words = ("timestamp", "stamp", "--digest", EVENT, "--signature", SIGNATURE, "--out", "e.ots")
    assert shell.run(*words) == 0
    both = signed_digest(bytes.fromhex(EVENT), bytes.fromhex(SIGNATURE))
    assert read_proof((shell.home / "e.ots").read_bytes()).digest == both


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("stamp", "give a file or --digest"),
        ("stamp a.txt --digest 00", "give a file or --digest"),
        ("stamp --digest xyz", "not hexadecimal"),
        ("stamp --digest 00", "64 hexadecimal digits"),
        ("stamp --digest 00 --signature 00", "an event's id has 32 bytes"),
        ("stamp a.txt --signature 00", "--signature goes with --digest"),
        ("stamp nowhere.txt", "No such file"),
        ("stamp a.txt --out b.ots --calendar ftp://x", "is no calendar"),
        ("verify h", "name the file"),
        ("verify nowhere.ots", "No such file"),
        ("verify a.txt.ots a.txt --digest 00", "one of them"),
        ("verify a.txt.ots --headers nowhere", "No such file"),
        ("info nowhere.ots", "No such file"),
    ],
)
def test_words_that_are_off_are_said(folder, shell, words, said):
    (folder / "h").write_bytes((folder / "a.txt.ots").read_bytes())
    assert shell.run("timestamp", *words.split()) == 2
    assert said in shell.err


def test_what_was_promised_is_fetched_once_it_is_there(folder, shell, made):
    before = (folder / "pending.ots").read_bytes()
    shell.door = ScriptedDoor(
        answers={"timestamp.find": lambda commitment: {"known": True, "answer": ""}}
    )
    assert shell.run("timestamp", "upgrade", "pending.ots") == 1
    assert f"still only promised by {URI}" in shell.out
    assert (folder / "pending.ots").read_bytes() == before
    ways = made["ways"]
    shell.door = ScriptedDoor(
        answers={"timestamp.find": lambda commitment: {"answer": ways[commitment].hex()}}
    )
    assert shell.run("timestamp", "upgrade", "pending.ots") == 0
    assert f"stands in block {made['height']}" in shell.out
    assert (folder / "pending.ots").read_bytes() == made["text upgraded"].encode()
    assert shell.run("timestamp", "upgrade", "pending.ots", "--json") == 0
    assert json.loads(shell.out)["blocks"] == [made["height"]]
    assert len(shell.door.asked("timestamp.find")) == 1
    assert [path.name for path in folder.iterdir() if path.name.startswith("tmp")] == []


def test_a_proof_is_checked_with_no_node_at_all(folder, shell, made):
    shell.error = NotAvailable("nobody may be asked")
    assert shell.run("timestamp", "verify", "a.txt.ots", "--headers", "h") == 0
    assert f"it existed when block {made['height']} of regtest was made, 20" in shell.out
    assert shell.run("timestamp", "verify", "a.txt.ots", "a.txt", "--headers", "h", "--json") == 0
    assert json.loads(shell.out)["block"] == made["height"]
    event = ("--digest", EVENT, "--signature", SIGNATURE)
    assert shell.run("timestamp", "verify", "event.ots", *event, "--headers", "h") == 0
    assert shell.run("timestamp", "verify", "event.ots", "--digest", EVENT, "--headers", "h") == 1
    assert "the proof is of" in shell.err
    assert shell.run("timestamp", "verify", "a.txt.ots") == 4
    assert "hermes anchor headers" in shell.err
    kept = shell.home / "state" / "data" / "headers" / "regtest.headers"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(made["headers"])
    assert shell.run("timestamp", "verify", "a.txt.ots") == 0


def test_what_does_not_hold_is_refused_with_its_reason(folder, shell, made):
    def verify(proof="a.txt.ots", file="a.txt"):
        assert shell.run("timestamp", "verify", proof, file, "--headers", "h") == 1
        return shell.err

    assert "only the promise of" in verify("pending.ots")
    assert shell.run("timestamp", "verify", "pending.ots", "a.txt") == 1  # without headers, too
    (folder / "short").write_bytes(made["text upgraded"].encode()[:-1])
    assert "ends too early" in verify("short")
    (folder / "b.txt").write_bytes(b"hellO")
    assert "the proof is of" in verify(file="b.txt")
    (folder / "h").write_bytes(made["headers"][: -80 * SETTLED])
    assert "is not at hand" in verify()
    (folder / "h").write_bytes(b"\x00" + made["headers"][1:])
    assert "no file of headers" in verify()


def test_a_proof_is_shown(folder, shell, made):
    assert shell.run("timestamp", "info", "a.txt.ots") == 0
    assert shell.out.startswith(f"sha256 {hashlib.sha256(TEXT).hexdigest()}\n")
    assert f"BitcoinBlockHeaderAttestation({made['height']})" in shell.out
    assert f"PendingAttestation('{URI}')" in shell.out
    assert shell.run("timestamp", "info", "a.txt.ots", "--json") == 0
    told = json.loads(shell.out)
    assert told["blocks"][0]["height"] == made["height"]
    assert [one["uri"] for one in told["promised"]] == [URI]


def test_the_calendar_is_shown(shell):
    batch = {"id": 1, "size": 5, "closed": 0, "state": "settled", "height": 102, "root": "aa"}
    facts = {"uri": URI, "promises": 7, "waiting": 2, "latest": [batch]}
    shell.door = ScriptedDoor(answers={"timestamp.status": facts, "timestamp.now": facts})
    for verb in ("status", "now"):
        assert shell.run("timestamp", verb) == 0
        assert f"calendar {URI}: 7 promises, 2 of them in no batch yet" in shell.out
        assert "1970-01-01T00:00:00.000Z" in shell.out
        assert shell.run("timestamp", verb, "--json") == 0
        assert json.loads(shell.out) == facts


def test_another_calendar_is_asked_only_when_it_is_named(shell, tmp_path):
    (shell.home / "a.txt").write_bytes(TEXT)
    command = [sys.executable, CHILD, tmp_path / "other.db"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            uri = child.stdout.readline().strip()
            assert shell.run("timestamp", "stamp", "a.txt", "--calendar", uri) == 0
            assert f"promised by {uri}" in shell.out
            assert shell.run("timestamp", "upgrade", "a.txt.ots", "--calendar", uri) == 1
            shell.door = ScriptedDoor(
                answers={"timestamp.find": lambda commitment: {"known": False, "answer": ""}}
            )
            # Its address stands in the proof, and is not followed.
            assert shell.run("timestamp", "upgrade", "a.txt.ots") == 1
            assert len(shell.door.asked("timestamp.find")) == 1
        finally:
            child.kill()
    assert shell.run("timestamp", "upgrade", "a.txt.ots", "--calendar", uri) == 1
    assert "does not answer" in shell.err
