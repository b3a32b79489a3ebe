import hashlib
from contextlib import asynccontextmanager

import anyio
import httpcore2
import msgspec
import pytest

from hermes.chain.batch import AnchorBatcher
from hermes.chain.stamps import blinded, check_proof, headers_in, stamped
from hermes.config import Chain, read_settings
from hermes.core.anchor import AnchorKind, payload_of
from hermes.core.clock import SystemClock
from hermes.errors import ChainUnreachable, NotAvailable, Usage
from hermes.node.calendar import NodeCalendar
from hermes.store.anchors import Attempt
from hermes.store.store import Store
from tests.chain.stamp_regtest import SETTLED, header_file, regtest

DIGEST = hashlib.sha256(b"file").digest()
NONCE = bytes(16)
BLIND = blinded(DIGEST, NONCE)


class Ticks:
    def __init__(self):
        self.now = 1_700_000_000_000

    def now_ms(self):
        return self.now


@pytest.fixture
async def store(tmp_path):
    async with Store.open(tmp_path / "hermes.db", SystemClock()) as opened:
        yield opened


@asynccontextmanager
async def running(store, tmp_path, batcher, clock=None, **chain):
    settings = read_settings({"HERMES_V2_HOME": str(tmp_path)}, {"chain": Chain(**chain)})
    reports = []

    def report(where, error):
        reports.append(error)

    calendar = NodeCalendar(settings, store.stamps, batcher, clock or SystemClock(), report)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(calendar.run)
        yield calendar.queries(), calendar, reports
        tasks.cancel_scope.cancel()


async def proof_of(queries):
    answer = await queries["timestamp.add"](digest=BLIND.hex())
    return stamped(DIGEST, NONCE, bytes.fromhex(answer["answer"]))


async def fetched(queries, proof):
    commitment = proof.promised()[0].commitment
    answer = await queries["timestamp.find"](commitment=commitment.hex())
    assert answer["known"]
    way = bytes.fromhex(answer["answer"])
    return proof.upgraded(commitment, way) if way else proof


async def test_the_owner_answers_its_front_ends_and_its_peers(store, tmp_path):
    async with (
        regtest() as (chain, batcher),
        running(store, tmp_path, batcher, calendar="127.0.0.1:0") as (queries, calendar, reports),
    ):
        proof = await proof_of(queries)
        told = await queries["timestamp.now"]()
        assert (told["waiting"], told["latest"][0]["state"]) == (0, "closed")
        assert bytes.fromhex(told["root"]) in batcher.sent
        async with httpcore2.AsyncConnectionPool() as pool:
            page = await pool.request("GET", told["uri"])
        assert b"1 promises" in page.content
        await chain.mine(SETTLED)
        await calendar.look()
        full = await fetched(queries, proof)
        headers = headers_in(await header_file(chain)).header_at
        assert check_proof(full, DIGEST, headers).height == chain.tip.height - SETTLED + 1
        assert (await queries["timestamp.status"]())["unattested"] == 0
        for name, words in (
            ("add", {"digest": "xy"}),
            ("find", {"commitment": "00"}),
        ):
            with pytest.raises(Usage):
                await queries[f"timestamp.{name}"](**words)
        assert reports == []


async def test_without_an_address_nothing_is_opened(store, tmp_path):
    async with running(store, tmp_path, None) as (queries, _, reports):
        with pytest.raises(NotAvailable, match="keeps no calendar"):
            await queries["timestamp.status"]()
        assert reports == []


async def test_an_address_that_cannot_be_opened_is_reported_and_ends_nothing(store, tmp_path):
    async with running(store, tmp_path, None, calendar="nonsense") as (queries, _, reports):
        with pytest.raises(NotAvailable):
            await queries["timestamp.status"]()
        assert "no address of the calendar" in str(reports[0])


async def test_a_batch_closes_when_its_time_has_come_and_not_before(store, tmp_path):
    clock = Ticks()
    hour = {"calendar": "127.0.0.1:0", "every_hours": 1}
    async with (
        regtest() as (_, batcher),
        Store.open(tmp_path / "other.db", clock) as other,
        running(other, tmp_path, batcher, clock, **hour) as (queries, node, _),
    ):
        await proof_of(queries)
        await node.look()  # there was none before
        assert len(batcher.sent) == 1
        await proof_of(queries)
        clock.now += 3_599_999
        await node.look()
        assert len(batcher.sent) == 1
        clock.now += 1
        await node.look()
        assert len(batcher.sent) == 2


async def test_a_chain_that_is_away_is_reported_and_tried_again(store, tmp_path):
    class Away:
        async def anchor(self, root):
            raise ChainUnreachable("nobody there")

        async def settled(self, root):
            raise ChainUnreachable("nobody there")

    async with running(store, tmp_path, Away(), calendar="127.0.0.1:0") as (queries, node, reports):
        proof = await proof_of(queries)
        with pytest.raises(ChainUnreachable):
            await queries["timestamp.now"]()
        await node.look()
        assert isinstance(reports[-1], ChainUnreachable)
    async with (
        regtest() as (chain, batcher),
        running(store, tmp_path, batcher, calendar="127.0.0.1:0") as (queries, node, _),
    ):
        await node.look()
        await chain.mine(SETTLED)
        await node.look()
        assert (await fetched(queries, proof)).attested()


async def test_a_batch_is_an_anchor_among_the_others(store):
    woken = []
    batcher = AnchorBatcher(store.anchors, lambda: woken.append(1))
    root = hashlib.sha256(b"root").digest()
    with pytest.raises(NotAvailable, match="nothing is anchored yet"):
        await batcher.anchor(root)  # the identity's genesis comes first
    assert not woken
    genesis = await store.anchors.add(int(AnchorKind.GENESIS), b"genesis")
    await batcher.anchor(root)
    await batcher.anchor(root)
    first, draft = await store.anchors.list()
    assert first == genesis
    assert payload_of(draft.payload).body == root
    assert draft.kind == AnchorKind.BATCH
    assert woken
    assert await batcher.settled(root) is None
    async with regtest() as (chain, real):
        await real.anchor(root)
        await chain.mine(SETTLED)
        mined = await real.settled(root)
    made = Attempt("aa", "cc:1", mined.raw, 100, 150, 0, 100)
    sent = await store.anchors.attempt(draft, made, {})
    stands = msgspec.structs.replace(
        sent,
        state="mined",
        txid="aa",
        height=mined.place.height,
        block=mined.block,
        header=mined.header,
        position=mined.place.position,
        branch=b"".join(mined.place.branch),
    )
    await store.anchors.save(stands)
    assert await batcher.settled(root) is None
    await store.anchors.save(msgspec.structs.replace(stands, state="settled"))
    assert await batcher.settled(root) == mined
    await store.anchors.save(msgspec.structs.replace(stands, state="final"))
    assert (await batcher.settled(root)).final
    await store.anchors.save(msgspec.structs.replace(stands, state="lost"))
    await batcher.anchor(root)
    assert [one.state for one in await store.anchors.list()] == ["draft", "lost", "draft"]
