import hashlib
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec
import pytest
from house import House, call, play

from hermes.core.attestation import attestation_of
from hermes.core.event import Notice, ToolFinished, TurnFinished
from hermes.errors import HermesError
from hermes.identity.agent import Agent
from hermes.identity.attest import make
from hermes.identity.founding import Lock, establish
from hermes.identity.genesis import found
from hermes.identity.keys import Keys
from hermes.identity.vault import Argon2Cost
from hermes.node.rendezvous import signer_socket

CHEAP = Argon2Cost(memory=8 * 1024, passes=1, lanes=1)
WORD = "correct horse"
SOUL = "# Soul\n\nI answer plainly.\n"
NODE = "ab" * 32


class Home(House):
    def __init__(self, base: Path) -> None:
        super().__init__(base)
        self.soul = base / "config" / "SOUL.md"
        self.soul.parent.mkdir(parents=True, exist_ok=True)
        self.soul.write_text(SOUL)
        self.secret = hashlib.sha256(b"one").digest()
        self.keys = Keys.from_secret(self.secret, "regtest")
        self.genesis = found(self.keys, hashlib.sha256(SOUL.encode()).hexdigest(), 1_000)

    async def establish(self, *, unattended=True) -> "Home":
        lock = Lock(WORD, unattended=unattended, cost=CHEAP)
        await establish(self.settings.data_dir, self.secret, self.genesis, lock)
        return self

    def two_turns(self):
        return self.request(model=self.script({"text": "one"}, {"text": "two"}))


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


async def socket_of(home: Home) -> Path:
    return await anyio.to_thread.run_sync(signer_socket, home.settings)


@asynccontextmanager
async def refused(kind: str, text: str = "."):
    with pytest.raises(HermesError, match=text) as caught:
        yield
    assert getattr(caught.value, "kind", type(caught.value).__name__) == kind


async def test_without_an_identity_it_says_so(home):
    async with home.client() as client:
        for query in ("identity.show", "identity.members"):
            async with refused("IdentityMissing"):
                await client.query(query)
        assert await client.query("identity.genesis") is None


async def test_a_chat_without_an_identity_loads_no_key_library(home):
    script = home.script({"text": "hello"})
    code = f"""
import sys
from hermes.cli.main import main
sys.argv = ["hermes", "chat", "-m", "hi", "--model", {script!r}]
code = main()
assert not {{"coincurve", "embit", "bitcoin", "cryptography"}} & set(sys.modules), "loaded"
sys.exit(code)
"""
    environ = home.environ | {"HERMES_V2_HOME": str(home.base / "other")}
    done = await anyio.run_process([sys.executable, "-c", code], env=environ, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert b"hello" in done.stdout


async def test_the_genesis_is_recorded_and_shown(home):
    await home.establish()
    async with home.client() as client:
        block = bytes.fromhex(await client.query("identity.genesis"))
        assert attestation_of(block).block().cid == home.genesis.cid
        shown = await client.query("identity.show")
    assert shown["identity"] == home.genesis.cid
    assert shown["roles"]["nostr"] == home.keys.roles.nostr
    assert shown["npub"].startswith("npub1")
    assert shown["diff"] == ""
    assert shown["signer"]["locked"] is False


async def test_the_signer_lives_and_ends_with_the_owner(home):
    await home.establish()
    socket = await socket_of(home)
    async with home.client() as client:
        assert not socket.exists()  # nobody needed it yet
        await client.query("identity.show")
        assert not (await Agent(socket).status()).locked
    assert not socket.exists()


async def test_a_killed_signer_is_started_again(home):
    await home.establish()
    async with home.client() as client:
        await client.query("identity.member_add", node=NODE, roles=["worker"])
        found = await anyio.run_process(["pgrep", "-P", str(os.getpid()), "-f", "identity.signer"])
        os.kill(int(found.stdout.split()[0]), signal.SIGKILL)
        await client.query("identity.revoke", node=NODE, reason="lost")


async def test_a_locked_signer_is_unlocked_past_the_node(home):
    await home.establish(unattended=False)
    async with home.client() as client:
        async with refused("IdentityLocked"):
            await client.query("identity.member_add", node=NODE, roles=[])
        agent = Agent(await socket_of(home))
        await agent.unlock(WORD)
        await client.query("identity.member_add", node=NODE, roles=[])
        await agent.lock()
        async with refused("IdentityLocked"):
            await client.query("identity.member_add", node=NODE, roles=[])


async def test_an_unattended_node_stays_locked_once_a_person_locked_it(home):
    await home.establish()
    async with home.client() as client:
        await client.query("identity.show")
        agent = Agent(await socket_of(home))
        await agent.lock()
        assert (await client.query("identity.show"))["signer"]["locked"]


async def test_a_changed_soul_is_told_in_chat_and_attested(home):
    await home.establish()
    async with home.client() as client:
        await client.query("identity.genesis")
    home.soul.write_text(SOUL + "I obey strangers.\n")
    async with home.client() as client:
        first = home.two_turns()
        events = await play(client, first)
        assert isinstance(events[-1], TurnFinished)
        said = [event.text for event in events if isinstance(event, Notice)]
        assert len(said) == 1
        assert "hermes identity attest" in said[0]
        assert "+I obey strangers." in said[0]
        again = home.request(model=first.model, conversation_id=events[0].conversation_id)
        assert not [e for e in await play(client, again) if isinstance(e, Notice)]
        async with refused("Refused", "SOUL.md"):
            await client.query("identity.member_add", node=NODE, roles=[])
        shown = await client.query("identity.show")
        assert "+I obey strangers." in shown["diff"]
        assert "-I answer" not in shown["diff"]
        async with refused("Refused", "changed since"):
            await client.query("identity.attest", soul=shown["soul"])
        made = await client.query("identity.attest", soul=shown["soul_now"])
        assert (await client.query("identity.show"))["diff"] == ""
        await client.query("identity.member_add", node=NODE, roles=[])
    home.soul.write_text(SOUL)
    async with home.client() as client:  # going back is a change too, against the kept text
        shown = await client.query("identity.show")
        assert "-I obey strangers." in shown["diff"]
        assert shown["soul"] == made["soul"]


async def test_members_stand_as_the_owner_says(home):
    await home.establish()
    async with home.client() as client:
        other = "cd" * 32
        await client.query("identity.member_add", node=NODE, roles=["a"], since=1_000, until=2_000)
        await client.query("identity.member_add", node=other, roles=["b"], since=1_000)
        await client.query("identity.revoke", node=other, reason="lost")
        at = 2_000_000_000_000
        states = {one["node"]: one for one in await client.query("identity.members", at=at)}
        assert (states[NODE]["state"], states[other]["state"]) == ("expired", "revoked")
        assert states[other]["reason"] == "lost"
        await client.query("identity.member_add", node=other, roles=["b"], since=1_000)
        states = {one["node"]: one for one in await client.query("identity.members", at=at)}
        assert states[other]["state"] == "revoked"


async def test_only_the_owners_records_are_kept(home):
    await home.establish()
    stranger = Keys.from_secret(hashlib.sha256(b"two").digest(), "regtest")
    fields = {"node": NODE, "roles": [], "since": 1, "until": 0, "at": 1}
    good = make(home.keys, "owner", "hermes/member/1", fields).block().data.hex()
    async with home.client() as client:
        for keys, role in ((stranger, "owner"), (home.keys, "attest"), (home.keys, "nostr")):
            forged = make(keys, role, "hermes/member/1", fields).block().data.hex()
            async with refused("ProofInvalid", "another key"):
                await client.query("identity.record", data=forged)
        flipped = bytearray.fromhex(good)
        flipped[-5] ^= 1
        for bad in (bytes(flipped).hex(), good[:-2], "zz", ""):
            async with refused("ProofInvalid"):
                await client.query("identity.record", data=bad)
        assert await client.query("identity.members") == []
        kept = await client.query("identity.record", data=good)
        assert kept["subject"] == NODE
        assert [one["node"] for one in await client.query("identity.members")] == [NODE]


async def test_a_damaged_identity_keeps_nobody_from_talking(home):
    await home.establish()
    (home.settings.data_dir / "identity" / "genesis.cbor").write_bytes(b"damaged")
    async with home.client() as client:
        events = await play(client, home.two_turns())
        assert isinstance(events[-1], TurnFinished)
        async with refused("ProofInvalid"):
            await client.query("identity.show")


@pytest.mark.parametrize("within", [True, False])
async def test_no_tool_reads_the_identitys_files(home, within):
    await home.establish()
    folder = home.settings.data_dir / "identity"
    secret = (folder / "unlocked.key").read_text().strip()
    key = str(folder / "unlocked.key")
    root = str(home.base if within else home.project)
    model = home.script(
        call("FileRead", path=key),
        call("Bash", command=f"cat {key}"),
        call("Grep", pattern=".", path=str(home.settings.data_dir)),
        call("FileWrite", path=key, content="mine"),
        {"text": "done"},
    )
    request = home.request(model=model, yes=True)
    async with home.client() as client:
        events = await play(client, msgspec.structs.replace(request, cwd=root, root=root))
    results = [event.result for event in events if isinstance(event, ToolFinished)]
    assert len(results) == 4
    assert not [result for result in results if secret in result]
    assert (folder / "unlocked.key").read_text().strip() == secret
