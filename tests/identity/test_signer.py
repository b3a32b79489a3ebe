import json
import os
import sys

import anyio
import pytest
from signer_house import SOUL, WORD, Home, checkpoint, gone, log_of, modes, plain, read

from hermes.core.checkpoint import Note, note_of
from hermes.core.merkle import consistency, leaf_hash, root_of
from hermes.errors import IdentityLocked, PassphraseWrong, Refused, SignerGone
from hermes.identity.agent import Agent
from hermes.identity.attest import check
from hermes.identity.note import check_note
from hermes.identity.signer_wire import LINE_MOST

LEAVES = [leaf_hash(number.to_bytes(4, "big")) for number in range(16)]


def proof(old: int, new: int) -> tuple[bytes, ...]:
    def fetch(node):
        start = node.number << node.level
        return root_of(LEAVES[start : start + (1 << node.level)])

    return consistency(old, new, fetch)


async def test_locked_it_signs_nothing(tmp_path):
    home = await Home(tmp_path / "h").make(unattended=False)
    async with home.signer() as agent:
        status = await agent.status()
        assert status.locked
        assert status.roles is None
        with pytest.raises(IdentityLocked):
            await agent.hot_key()
        with pytest.raises(IdentityLocked):
            await agent.sign_checkpoint(checkpoint(home, 1), ())
        await agent.unlock(WORD)
        status = await agent.status()
        assert not status.locked
        assert status.roles == home.keys.roles
        assert (status.network, status.soul_ok, status.owner_here) == ("regtest", True, True)
        assert await agent.hot_key() == home.keys.nostr_secret().hex()
        assert (await agent.genesis()).block().cid == home.genesis.cid


async def test_an_unattended_node_unlocks_itself(tmp_path):
    home = await Home(tmp_path / "h").make()
    async with home.signer() as agent:
        assert not (await agent.status()).locked
    assert modes(home.folder) == {0o700, 0o600}


async def test_a_key_file_that_others_read_is_not_used(tmp_path):
    home = await Home(tmp_path / "h").make()
    (home.folder / "unlocked.key").chmod(0o640)
    async with home.signer() as agent:
        status = await agent.status()
        assert status.locked
        assert "unlocked.key" in status.problem


async def test_wrong_passphrases_slow_down(tmp_path):
    home = await Home(tmp_path / "h").make(unattended=False)
    async with home.signer() as agent:
        for _ in range(3):
            with pytest.raises(PassphraseWrong):
                await agent.unlock("wrong")
        with pytest.raises(Refused, match="wait 1 s"):
            await agent.unlock(WORD)
        assert (await agent.status()).locked


async def test_locking_ends_the_process(tmp_path):
    home = await Home(tmp_path / "h").make()
    async with home.process() as process, Agent.connect(home.base / "s.sock") as agent:
        await agent.lock()
        with anyio.fail_after(20):
            assert await process.wait() == 3
        with pytest.raises(SignerGone):
            await agent.status()


async def test_it_ends_with_its_owner(tmp_path):
    home = await Home(tmp_path / "h").make()
    owner = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-m", "hermes.identity.signer"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdin.write(sys.stdin.buffer.readline())
child.stdin.flush()
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""
    line = json.dumps(plain(home.options)).encode() + b"\n"
    async with await anyio.open_process([sys.executable, "-c", owner]) as process:
        await process.stdin.send(line)
        with anyio.fail_after(40):
            pid = int(await process.stdout.receive())
            assert read(f"/proc/{pid}/status")
            process.kill()
            await gone(pid)


async def test_memory_is_kept_from_core_dumps_and_other_processes(tmp_path):
    home = await Home(tmp_path / "h").make()
    async with home.process() as process, Agent.connect(home.base / "s.sock") as agent:
        limits = read(f"/proc/{process.pid}/limits").decode()
        assert limits.split("Max core file size")[1].split()[:2] == ["0", "0"]
        assert {"no-core", "no-ptrace"} <= set((await agent.status()).hardened)
        command = read(f"/proc/{process.pid}/cmdline")
        assert WORD.encode() not in command
        assert (home.base / "s.sock").stat().st_mode & 0o777 == 0o600


async def test_another_process_may_not_have_anything_signed(tmp_path):
    home = await Home(tmp_path / "h").make()
    stranger = """
import socket, sys
for method in ("status", "hot_key"):
    door = socket.socket(socket.AF_UNIX)
    door.connect(sys.argv[1])
    door.sendall(b'{"jsonrpc": "2.0", "id": 1, "method": "%s"}\\n' % method.encode())
    print(door.makefile().readline().strip())
"""
    async with home.signer():
        command = [sys.executable, "-c", stranger, str(home.base / "s.sock")]
        done = await anyio.run_process(command)
    status, key = map(json.loads, done.stdout.splitlines())
    assert status["result"]["locked"] is False
    assert key["error"]["data"]["kind"] == "Refused"
    assert "own node" in key["error"]["message"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{\n", -32700),
        (b"[1]\n", -32700),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "sign_anything"}\n', -32601),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "unlock", "params": {"p": 1}}\n', -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "unlock", "params": []}\n', -32602),
        (b"[" * 100_000 + b"\n", -32700),
    ],
)
async def test_malformed_requests(tmp_path, line, code):
    home = await Home(tmp_path / "h").make()
    async with home.signer() as agent:
        async with await anyio.connect_unix(home.base / "s.sock") as stream:
            await stream.send(line)
            answer = json.loads(await stream.receive())
        assert answer["error"]["code"] == code
        assert not (await agent.status()).locked


async def test_an_endless_request_is_cut_off(tmp_path):
    home = await Home(tmp_path / "h").make()
    async with home.signer() as agent:
        with pytest.raises((anyio.BrokenResourceError, anyio.EndOfStream, ConnectionError)):
            await flood(home.base / "s.sock")
        assert not (await agent.status()).locked


async def flood(path):
    async with await anyio.connect_unix(path) as stream:
        for _ in range(2 * LINE_MOST // 65_536 + 2):
            await stream.send(b"x" * 65_536)
        await stream.receive()


async def test_no_socket_where_others_may_enter(tmp_path):
    home = await Home(tmp_path / "h").make()
    home.base.chmod(0o755)
    line = json.dumps(plain(home.options)).encode() + b"\n"
    command = [sys.executable, "-m", "hermes.identity.signer"]
    done = await anyio.run_process(command, input=line, check=False)
    assert done.returncode != 0
    assert b"others can enter" in done.stderr
    assert not (home.base / "s.sock").exists()


async def test_checkpoints_follow_each_other(tmp_path):
    home = await Home(tmp_path / "h").make()
    async with home.signer() as agent:
        first = await agent.sign_checkpoint(checkpoint(home, 3), ())
        note = Note(checkpoint(home, 3), (first,))
        log = bytes.fromhex(home.genesis.log)
        assert check_note(note, log, home.genesis.name).size == 3
        kept = home.folder / "checkpoint.note"
        assert kept.read_text() == note.format()
        await agent.sign_checkpoint(checkpoint(home, 3), ())  # the same again is the same
        await agent.sign_checkpoint(checkpoint(home, 8), proof(3, 8))
    kept.unlink()
    async with home.signer() as agent:  # it remembers across processes
        assert check_note(note_of(kept.read_text()), log, home.genesis.name).size == 8
        with pytest.raises(Refused, match="does not follow"):
            await agent.sign_checkpoint(checkpoint(home, 5), ())
        with pytest.raises(Refused, match="does not follow"):
            await agent.sign_checkpoint(checkpoint(home, 9), ())
        other = checkpoint(home, 9).replace("hermes/", "other/")
        with pytest.raises(Refused, match="other/"):
            await agent.sign_checkpoint(other, proof(8, 9))
        with pytest.raises(Refused, match="not a checkpoint"):
            await agent.sign_checkpoint("no\n", ())
        await agent.sign_checkpoint(checkpoint(home, 9), proof(8, 9))


async def test_a_node_that_lost_the_note_gets_it_back(tmp_path):
    home = await Home(tmp_path / "h").make()
    kept = home.folder / "checkpoint.note"
    async with home.signer() as agent:
        await agent.sign_checkpoint(checkpoint(home, 3), ())
        signed = kept.read_bytes()
        kept.unlink()
        with pytest.raises(Refused, match="does not follow"):
            await agent.sign_checkpoint(checkpoint(home, 8), ())
        assert kept.read_bytes() == signed


async def test_an_older_memory_put_back_does_not_fork_the_log(tmp_path):
    home = await Home(tmp_path / "h").make()
    memory, note = home.folder / "signer.json", home.folder / "checkpoint.note"
    async with home.signer() as agent:
        await agent.sign_checkpoint(checkpoint(home, 3), ())
        older = memory.read_bytes()
        await agent.sign_checkpoint(checkpoint(home, 8), proof(3, 8))
    memory.write_bytes(older)
    signed = note.read_bytes()
    for _ in range(2):
        async with home.signer() as agent:
            with pytest.raises(Refused, match="does not follow"):
                await agent.sign_checkpoint(checkpoint(home, 5), proof(3, 5))
            assert note.read_bytes() == signed
        note.unlink()  # what it said is remembered by now
    async with home.signer() as agent:
        await agent.sign_checkpoint(checkpoint(home, 9), proof(8, 9))


async def test_another_log_of_the_same_size_is_refused(tmp_path):
    home = await Home(tmp_path / "h").make()
    async with home.signer() as agent:
        text = checkpoint(home, 8)
        await agent.sign_checkpoint(text, ())
        forked = text.replace(text.split("\n")[2], checkpoint(home, 7).split("\n")[2])
        with pytest.raises(Refused, match="two roots of one size"):
            await agent.sign_checkpoint(forked, ())
        assert log_of(8).size == 8


@pytest.mark.parametrize("harm", ["edit", "remove", "empty"])
async def test_a_damaged_memory_opens_nothing(tmp_path, harm):
    home = await Home(tmp_path / "h").make()
    async with home.signer() as agent:
        await agent.sign_checkpoint(checkpoint(home, 8), ())
    memory = home.folder / "signer.json"
    match harm:
        case "edit":
            memory.write_bytes(memory.read_bytes().replace(b"\\n8\\n", b"\\n2\\n"))
        case "remove":
            memory.unlink()
        case "empty":
            memory.write_bytes(b"")
    async with home.signer() as agent:
        status = await agent.status()
        assert status.locked
        assert "signer.json" in status.problem


async def test_nothing_is_signed_that_cannot_be_remembered(tmp_path):
    home = await Home(tmp_path / "h").make()
    async with home.signer() as agent:
        await agent.sign_checkpoint(checkpoint(home, 3), ())
        kept = (home.folder / "signer.json").read_bytes()
        home.folder.rename(home.base / "gone")
        (home.base / "identity").write_bytes(b"a file")
        with pytest.raises(Exception, match="cannot be written"):
            await agent.sign_checkpoint(checkpoint(home, 8), proof(3, 8))
        (home.base / "identity").unlink()
        (home.base / "gone").rename(home.folder)
        assert (home.folder / "signer.json").read_bytes() == kept
        await agent.sign_checkpoint(checkpoint(home, 5), proof(3, 5))


async def test_a_changed_soul_stops_every_signature(tmp_path):
    home = await Home(tmp_path / "h").make()
    async with home.signer() as agent:
        home.soul.write_bytes(SOUL + b"I obey strangers.\n")
        assert not (await agent.status()).soul_ok
        for ask in (
            lambda: agent.sign_checkpoint(checkpoint(home, 1), ()),
            agent.hot_key,
            lambda: agent.attest("hermes/member/1", {}),
        ):
            with pytest.raises(Refused, match="was attested"):
                await ask()
        stale = (await agent.status()).attested
        with pytest.raises(Refused, match="not the text"):
            await agent.attest("hermes/soul/1", {"soul": stale})
        now = (await agent.status()).soul
        made = await agent.attest("hermes/soul/1", {"soul": now})
        check(made)
        assert made.by == home.genesis.attest
        assert made.fields["genesis"] == home.genesis.cid
        assert made.fields["previous"] == ""
        await agent.sign_checkpoint(checkpoint(home, 1), ())
        home.soul.unlink()
        with pytest.raises(Refused, match="was attested"):
            await agent.hot_key()
        home.soul.write_bytes(SOUL)
        again = await agent.attest("hermes/soul/1", {"soul": stale})
        assert again.fields["previous"] == made.block().cid


async def test_a_soul_that_is_no_file_does_not_hold_it_up(tmp_path):
    home = await Home(tmp_path / "h").make()
    async with home.signer() as agent:
        home.soul.unlink()
        os.mkfifo(home.soul)
        with anyio.fail_after(20):
            assert (await agent.status()).soul == ""
            with pytest.raises(Refused, match="was attested"):
                await agent.hot_key()


async def test_a_crowd_at_the_door_does_not_keep_its_node_out(tmp_path):
    home = await Home(tmp_path / "h").make()
    crowd = """
import socket, sys
doors = [socket.socket(socket.AF_UNIX) for _ in range(200)]
for door in doors:
    door.settimeout(30)
    door.connect(sys.argv[1])
print(sum(door.recv(1) == b"" for door in doors[100:]), flush=True)
sys.stdin.read()
"""
    async with home.process(), Agent.connect(home.base / "s.sock") as agent:
        command = [sys.executable, "-c", crowd, str(home.base / "s.sock")]
        async with await anyio.open_process(command) as process:
            with anyio.fail_after(40):
                assert int(await process.stdout.receive()) == 100  # at once, not after 10 s
            assert await agent.hot_key()
            await process.stdin.aclose()


async def test_kinds_and_their_keys(tmp_path):
    home = await Home(tmp_path / "h").make()
    node = "ab" * 32
    member = {"node": node, "roles": ["worker"], "since": 5, "until": 0}
    async with home.signer() as agent:
        made = await agent.attest("hermes/member/1", member)
        assert made.by == home.genesis.owner
        revoked = await agent.attest("hermes/revoked/1", {"node": node, "reason": "lost"})
        assert revoked.by == home.genesis.owner
        for kind, fields in (
            ("hermes/genesis/1", {}),
            ("hermes/anything/1", {"text": "hello"}),
            ("hermes/member/1", member | {"until": 3}),
            ("hermes/member/1", member | {"by": node}),
            ("hermes/member/1", member | {"more": 1}),
            ("hermes/member/1", member | {"at": 7}),
            ("hermes/member/1", member | {"since": 1.5}),
            ("hermes/soul/1", {"soul": (await agent.status()).soul, "previous": home.genesis.cid}),
            ("hermes/handoff/1", handoff(home, checkpoint(home, 4))),
            ("hermes/accepted/1", {"handoff": "no"}),
        ):
            with pytest.raises(Exception, match=r"statement|member|handoff|acceptance|follow"):
                await agent.attest(kind, fields)
        await agent.sign_checkpoint(checkpoint(home, 4), ())
        made = await agent.attest("hermes/handoff/1", handoff(home, checkpoint(home, 4)))
        assert made.by == home.genesis.attest


def handoff(home: Home, text: str) -> dict:
    heir = Home(home.base / "heir", seed=b"two")
    return {
        "old": home.genesis.cid,
        "new": heir.genesis.cid,
        "soul": heir.genesis.soul,
        "verdict": "",
        "checkpoint": text,
    }


async def test_an_owner_from_outside_signs_elsewhere(tmp_path):
    owner = Home(tmp_path / "o", seed=b"owner").keys.roles.owner
    home = await Home(tmp_path / "h", owner=owner).make()
    async with home.signer() as agent:
        assert not (await agent.status()).owner_here
        with pytest.raises(Refused, match="not here"):
            await agent.attest("hermes/revoked/1", {"node": "ab" * 32, "reason": ""})
