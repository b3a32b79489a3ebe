"""The log of a house with an identity and a real signer: signed, proven, and a shorter one seen."""

import hashlib

import anyio
import pytest
from house import play

from hermes.core.checkpoint import checkpoint_of, note_of
from hermes.gateway.client import RemoteError
from hermes.identity.founding import Lock, establish
from hermes.identity.genesis import found
from hermes.identity.keys import Keys
from hermes.identity.vault import Argon2Cost

SECRET = bytes(range(32))
SOUL = b"# Soul\n\nI answer plainly.\n"
CHEAP = Argon2Cost(memory=8 * 1024, passes=1, lanes=1)


@pytest.fixture
async def signed(house):
    """A house whose signer opens by itself."""
    config = anyio.Path(house.settings.config_dir)
    await config.mkdir(parents=True)
    await (config / "SOUL.md").write_bytes(SOUL)
    genesis = found(Keys.from_secret(SECRET, "regtest"), hashlib.sha256(SOUL).hexdigest(), 1_000)
    house.settings.data_dir.mkdir(mode=0o700)
    lock = Lock("correct horse", unattended=True, cost=CHEAP)
    await establish(house.settings.data_dir, SECRET, genesis, lock)
    return house


async def turn(house, client, text):
    return await play(client, house.request(text, model=house.script({"text": "yes"})))


async def alarms(client):
    with anyio.fail_after(20):
        while not (said := (await client.status())["alarms"]):  # noqa: ASYNC110
            await anyio.sleep(0.01)
    return said


async def test_a_message_is_proven_by_a_note_that_the_signer_made(signed):
    async with signed.client() as client:
        await turn(signed, client, "one")
        told = await client.query("log.checkpoint")
        await turn(signed, client, "two")
        (hit,) = await client.query("conversations.search", query="one")
        proof = await client.query("log.prove", name=hit["cid"])
        assert proof["note"] == told["note"]
        assert checkpoint_of(note_of(proof["note"]).text).root.hex() == proof["root"]
        assert proof["size"] == told["size"] < (await client.query("log.root"))["size"]
        verified = await client.query("log.verify", note=told["note"])
        assert (verified["ok"], verified["unchecked"]) == (True, [])
        forged = told["note"].replace("— hermes", "— nobody")
        verified = await client.query("log.verify", note=forged)
        assert "no signature of this key" in verified["problems"][0]


async def test_a_lasting_owner_signs_by_itself(signed):
    async with signed.client() as client:
        await turn(signed, client, "one")
    note = anyio.Path(signed.settings.data_dir / "identity/checkpoint.note")
    async with signed.client(interactive=True) as client:
        with anyio.fail_after(40):
            while not (await client.query("log.root"))["signed_size"]:  # noqa: ASYNC110
                await anyio.sleep(0.05)
        assert (await client.query("log.root"))["note"] == await note.read_text()


async def test_an_older_copy_of_the_store_is_seen_at_the_start(signed):
    database = anyio.Path(signed.settings.data_dir / "hermes.db")
    async with signed.client() as client:
        await turn(signed, client, "one")
    older = await database.read_bytes()
    async with signed.client() as client:
        await turn(signed, client, "two")
        await client.query("log.checkpoint")
    await database.write_bytes(older)

    async with signed.client() as client:
        assert "shortened" in (await alarms(client))[0]
        with pytest.raises(RemoteError, match="shortened"):
            await client.query("log.checkpoint")
        verified = await client.query("log.verify")
        assert not verified["ok"]
        events = await turn(signed, client, "three")
        assert any("shortened" in getattr(event, "text", "") for event in events)
