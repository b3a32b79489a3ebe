from base64 import b64decode

import anyio
import anyio.to_thread
import pytest
from house import House

from hermes.chain.headers import headers_of
from hermes.chain.offline import verify_bundle
from hermes.chain.transaction import transaction_of
from hermes.config import Chain
from hermes.core.anchor import AnchorKind, Payload, commitment
from hermes.core.checkpoint import Checkpoint, Note
from hermes.core.clock import SystemClock
from hermes.core.ids import uuid7
from hermes.core.message import Message, Text
from hermes.errors import IdentityMissing, NotAvailable, Usage
from hermes.identity.genesis import save_genesis
from hermes.node.proving import Proving
from hermes.store.anchors import Anchor, Attempt
from hermes.store.store import Store
from hermes.testing.proofs import Maker, log_of
from hermes.testing.regtest import Regtest

TALK = "0199a000-0000-7000-8000-000000000001"
TEXTS = ("the bridge holds", "the bridge fell", "a river")


@pytest.fixture
async def store(tmp_path):
    async with Store.open(tmp_path / "store.db", SystemClock()) as store:
        await store.conversations.create(conversation=TALK, root="/x")
        for text in TEXTS:
            said = Message(TALK, TALK, TALK, "user", (Text(text),), 1, "n", uuid7())
            await store.conversations.append(said)
        yield store


async def anchored(store, maker):
    """Keep an anchor of the log as it is now, as if it had been mined."""
    leaves = [await store.log.leaf(index) for index in range(await store.log.size())]
    made = maker.bundle(log_of(leaves), leaves[0], 0)
    bundle, raw = made.bundle, made.bundle.transaction
    checkpoint = Checkpoint(maker.genesis.name, len(leaves), bundle.checkpoint.root)
    note = Note(checkpoint.text, (maker.keys.sign_note(checkpoint.text),)).format()
    txid = transaction_of(raw).txid
    parent = transaction_of(bundle.spent[0])
    await store.anchors.adopt(
        Anchor(
            id=uuid7(),
            kind=AnchorKind.CHECKPOINT,
            payload=Payload(AnchorKind.CHECKPOINT, commitment(checkpoint)).encode(),
            note=note,
            state="settled",
            txid=txid,
            height=1,
            block=made.headers.tip,
            header=bundle.header,
            position=bundle.position,
            branch=b"".join(bundle.branch),
            attempts=(Attempt(txid, "coin", raw, 200, 160, 0, 1),),
        ),
        {parent.txid: parent.stripped},
    )
    return made


async def test_words_or_a_cid_name_what_is_proven(house: House, store):
    maker = Maker()
    proving = Proving(house.settings, store)
    with pytest.raises(IdentityMissing):
        await proving.prove("river")
    folder = house.settings.data_dir / "identity"
    await anyio.to_thread.run_sync(save_genesis, folder, maker.genesis)
    with pytest.raises(NotAvailable, match="no block holds this entry yet"):
        await proving.prove("river")
    made = await anchored(store, maker)
    told = await proving.queries()["anchor.prove"]("bridge holds")
    found = verify_bundle(b64decode(told["bundle"]), made.headers)
    assert found.content.text == "the bridge holds"
    assert (told["cid"], told["txid"], told["shown"]) == (found.leaf, found.txid, True)
    again = await proving.prove(told["cid"][:20].upper(), show=False)
    assert (again["cid"], again["shown"]) == (told["cid"], False)
    assert b"bridge" not in b64decode(again["bundle"])
    for name, why in (("bridge", "several messages"), ("lake", "no message"), ("", "no message")):
        with pytest.raises(Usage, match=why):
            await proving.prove(name)
    with pytest.raises(Usage, match="no block"):
        await proving.prove("bafyrei" + "a" * 20)


async def test_headers_are_kept_beside_the_store_and_follow_the_chain(tmp_path, store):
    async with Regtest() as chain:
        await chain.mine(3)
        house = House(tmp_path, chain=Chain(backend=chain.url))
        proving = Proving(house.settings, store)
        async with anyio.create_task_group() as tasks:  # two who ask at once do not meet
            tasks.start_soon(proving.headers)
            tasks.start_soon(proving.headers)
        told = await proving.queries()["anchor.headers"]()
        assert (told["start"], told["height"], told["tip"]) == (0, 3, chain.tip.hash)
        await chain.mine(2)
        told = await proving.headers()
        raw = (house.settings.data_dir / "headers" / "regtest.headers").read_bytes()
        assert headers_of(raw)[0].tip == told["tip"] == chain.tip.hash
        for wrong in ("5", "05:" + "a" * 64, "5:" + "A" * 64, "-1:" + "a" * 64):
            with pytest.raises(Usage, match="is no block"):
                await proving.headers(wrong)
    with pytest.raises(NotAvailable):
        await Proving(House(tmp_path).settings, store).headers()
