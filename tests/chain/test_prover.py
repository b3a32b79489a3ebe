"""From a store's messages over real regtest blocks to bundles that hold."""

import hashlib

import pytest

from hermes.chain.connect import open_backend
from hermes.chain.header_file import fetch_headers
from hermes.chain.offline import verify_bundle
from hermes.chain.prover import Prover
from hermes.chain.transaction import transaction_of
from hermes.core.anchor import AnchorKind, Payload, commitment
from hermes.core.checkpoint import Checkpoint, Note
from hermes.core.clock import SystemClock
from hermes.core.ids import uuid7
from hermes.core.message import Message, Text
from hermes.errors import ChainError, NotAvailable, ProofInvalid
from hermes.store.anchors import Anchor, Attempt
from hermes.store.store import Store
from hermes.testing.proofs import Maker
from hermes.testing.regtest import Regtest

TALK = "0199a000-0000-7000-8000-000000000001"


class House:
    """A store, an identity and a chain; anchors are made by hand."""

    def __init__(self, store, chain, backend, path):
        self.store, self.chain, self.backend = store, chain, backend
        self.headers = path / "regtest.headers"
        self.maker = Maker()
        self.prover = Prover(store, self.maker.genesis.record.block().data)
        self.coin = None

    async def say(self, *texts):
        found = []
        for text in texts:
            message = Message(
                conversation=TALK,
                session=TALK,
                turn=TALK,
                role="user",
                parts=(Text(text),),
                at=1_795_000_000_000,
                node="n",
                salt=uuid7(),
            )
            found += await self.store.conversations.append(message)
        return [await self.store.block_named(cid) for cid in found]

    async def sign(self):
        size, root = await self.store.log.newest()
        checkpoint = Checkpoint(self.maker.genesis.name, size, root)
        note = Note(checkpoint.text, (self.maker.keys.sign_note(checkpoint.text),)).format()
        return checkpoint, note

    async def anchor(self, payload, note="", deposits=0, *, keep=True):
        coins = [self.coin]
        parents = {}
        for _ in range(deposits + (self.coin is None)):
            outpoint = await self.chain.fund(self.maker.scripts.deposit, 20_000)
            parents[outpoint.txid] = await self.chain.transaction(outpoint.txid)
            txid = bytes.fromhex(outpoint.txid)[::-1]
            coins.append((txid, outpoint.index, 20_000, self.maker.scripts.deposit))
        raw = self.maker.transaction(payload, [one for one in coins if one]).serialize()
        made = transaction_of(raw)
        await self.chain.send(raw)
        await self.chain.mine()
        height = await self.backend.height_of(made.txid, made.outputs[1].script)
        place = await self.backend.place(made.txid, height)
        (header,) = await self.backend.headers(height, 1)
        txid = bytes.fromhex(made.txid)[::-1]
        self.coin = (txid, 1, made.outputs[1].value, made.outputs[1].script)
        if keep:
            await self.store.anchors.adopt(
                Anchor(
                    id=uuid7(),
                    kind=payload.kind,
                    payload=payload.encode(),
                    note=note,
                    state="mined",
                    txid=made.txid,
                    height=height,
                    block=await self.chain.rpc("getblockhash", height),
                    header=header,
                    position=place.position,
                    branch=b"".join(place.branch),
                    attempts=(Attempt(made.txid, "coin", raw, 200, made.size, 0, height),),
                ),
                parents,
            )

    async def begin(self):
        body = hashlib.sha256(self.maker.genesis.record.block().data).digest()
        await self.anchor(Payload(AnchorKind.GENESIS, body))

    async def checkpoint(self, **how):
        checkpoint, note = await self.sign()
        await self.anchor(Payload(AnchorKind.CHECKPOINT, commitment(checkpoint)), note, **how)

    async def batch(self):
        await self.anchor(Payload(AnchorKind.BATCH, bytes(32)))

    async def trusted(self):
        return (await fetch_headers(self.headers, "regtest", self.chain.url)).headers


@pytest.fixture
async def house(tmp_path):
    async with (
        Store.open(tmp_path / "store.db", SystemClock()) as store,
        Regtest() as chain,
        open_backend(chain.url, "regtest") as backend,
    ):
        await store.conversations.create(conversation=TALK, root="/x")
        yield House(store, chain, backend, tmp_path)


async def test_every_message_is_proven_by_the_first_block_that_holds_it(house):
    await house.begin()
    first = await house.say("one", "two", "three")
    await house.checkpoint()
    await house.batch()
    await house.batch()
    second = await house.say("four")
    await house.checkpoint(deposits=2)
    late = await house.say("five")
    headers = await house.trusted()
    proven = {}
    for block in (*first, *second):
        data, told = await house.prover.prove(block, show=True)
        found = verify_bundle(data, headers)
        assert found == told or (told.height, found.block) == (None, told.block)
        assert found.leaf == block.cid
        proven[found.content.text] = (found.height, found.earlier, found.before)
    heights = {one.height for one in await house.store.anchors.list() if one.note}
    assert {proven["one"], proven["two"], proven["three"]} == {(min(heights), None, "genesis")}
    assert proven["four"] == (max(heights), 3, "checkpoint")
    data, told = await house.prover.prove(first[0], show=False)
    assert told.content is None
    assert b"one" not in data
    with pytest.raises(NotAvailable, match="no block holds this entry yet"):
        await house.prover.prove(late[0], show=True)


async def test_what_is_not_kept_is_named(house):
    await house.begin()
    await house.say("one")
    await house.checkpoint()
    await house.anchor(Payload(AnchorKind.BATCH, bytes(32)), keep=False)
    (block,) = await house.say("two")
    await house.checkpoint()
    with pytest.raises(ChainError, match="is not kept here"):
        await house.prover.prove(block, show=True)


async def test_a_bundle_of_a_block_that_was_undone_is_refused(house):
    await house.begin()
    (block,) = await house.say("one")
    await house.checkpoint()
    data, _ = await house.prover.prove(block, show=False)
    assert verify_bundle(data, await house.trusted()).blocks == 1
    await house.chain.mine(3)
    assert verify_bundle(data, await house.trusted()).blocks == 4
    await house.chain.reorg(5)
    with pytest.raises(ProofInvalid, match="is not among the headers"):
        verify_bundle(data, await house.trusted())
