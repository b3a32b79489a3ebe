import hashlib

import msgspec
import pytest
from stamp_child import Nowhere
from stamp_regtest import FINAL, SETTLED, header_file, regtest

from hermes.chain.calendar import Calendar
from hermes.chain.stamps import check_proof, headers_in, stamped
from hermes.core.clock import SystemClock
from hermes.errors import ProofInvalid, Refused, StoreCorrupt
from hermes.store.stamps import Stamps
from hermes.store.statement import Statement
from hermes.store.store import Store

URI = "http://127.0.0.1:14788"


@pytest.fixture
async def chain():
    async with regtest() as opened:
        yield opened[0], opened[1]


@pytest.fixture
async def store(tmp_path):
    async with Store.open(tmp_path / "hermes.db", SystemClock()) as opened:
        yield opened


async def stamp(calendar, number):
    digest, nonce = hashlib.sha256(b"%d" % number).digest(), bytes(16)
    blind = hashlib.sha256(digest + nonce).digest()
    return stamped(digest, nonce, await calendar.add(blind))


def commitment(proof):
    return proof.promised()[0].commitment


async def upgraded(calendar, proof):
    found = await calendar.find(commitment(proof))
    assert found.known
    return proof.upgraded(commitment(proof), found.way) if found.way else proof


async def test_many_digests_share_one_transaction_and_each_is_proved_offline(store, chain):
    regtest, batcher = chain
    calendar = Calendar(store.stamps, URI, batcher)
    proofs = [await stamp(calendar, number) for number in range(100)]
    assert (await calendar.find(commitment(proofs[0]))).way == b""
    root = await calendar.close_batch()
    assert batcher.asked == [root]
    assert await calendar.close_batch() is None  # nothing waits
    await regtest.mine(SETTLED - 1)
    assert await calendar.refresh() == 0
    assert (await upgraded(calendar, proofs[7])).attested() == ()
    await regtest.mine()
    assert await calendar.refresh() == 1
    headers = headers_in(await header_file(regtest))
    assert headers.network == "regtest"
    heights = set()
    for proof in proofs:
        full = await upgraded(calendar, proof)
        heights.add(check_proof(full, proof.digest, headers.header_at).height)
        assert len(full.encode()) < 1_000
    assert len(heights) == 1
    assert await calendar.refresh() == 0


async def test_what_nobody_promised_is_unknown(store, chain):
    calendar = Calendar(store.stamps, URI, chain[1])
    found = await calendar.find(bytes(32))
    assert (found.known, found.way) == (False, b"")


@pytest.mark.parametrize("size", [0, 19, 65])
async def test_only_digests_are_promised(store, chain, size):
    calendar = Calendar(store.stamps, URI, chain[1])
    with pytest.raises(Refused, match=f"digest of {size} bytes"):
        await calendar.add(bytes(size))
    assert (await calendar.facts())["promises"] == 0


class Crossed(Stamps):
    """Closes a batch between a promise's way to the disk and its answer."""

    calendar: Calendar

    async def add(self, commitment):
        await super().add(commitment)
        await self.calendar.close_batch()


async def test_a_batch_that_closes_under_a_promise(tmp_path):
    async with Store.open(tmp_path / "s.db", SystemClock()) as store:
        crossed = Crossed(store.stamps._database, SystemClock())
        crossed.calendar = Calendar(crossed, URI, Nowhere())
        for number in range(3):
            assert (await stamp(crossed.calendar, number)).promised()
        counts = await crossed.counts()
        assert (counts["promises"], counts["waiting"], counts["batches"]) == (3, 0, 3)


async def test_the_same_digest_twice_is_two_promises(store, chain):
    calendar = Calendar(store.stamps, URI, chain[1])
    first, second = await stamp(calendar, 1), await stamp(calendar, 1)
    assert commitment(first) != commitment(second)


async def test_a_reorg_takes_the_proof_back_and_the_new_block_gives_another(store, chain):
    regtest, batcher = chain
    calendar = Calendar(store.stamps, URI, batcher)
    proof = await stamp(calendar, 1)
    root = await calendar.close_batch()
    await regtest.mine(SETTLED)
    await calendar.refresh()
    old = await upgraded(calendar, proof)
    batcher.asked.clear()
    await regtest.reorg(SETTLED)
    assert await calendar.refresh() == 1
    assert batcher.asked == [root]  # whoever anchors may have to send it again
    assert (await calendar.find(commitment(proof))).way == b""
    headers = headers_in(await header_file(regtest)).header_at
    with pytest.raises(ProofInvalid, match="another Merkle root"):
        check_proof(old, proof.digest, headers)
    await regtest.mine(SETTLED)
    assert await calendar.refresh() == 1
    headers = headers_in(await header_file(regtest)).header_at
    new = await upgraded(calendar, proof)
    assert check_proof(new, proof.digest, headers).height > old.attested()[0].height
    both = old.upgraded(commitment(proof), (await calendar.find(commitment(proof))).way)
    assert check_proof(both, proof.digest, headers).failed == (old.attested()[0].height,)


async def test_a_final_batch_is_not_looked_at_again(store, chain):
    regtest, batcher = chain
    calendar = Calendar(store.stamps, URI, batcher)
    await stamp(calendar, 1)
    await calendar.close_batch()
    await regtest.mine(SETTLED)
    await calendar.refresh()
    await regtest.mine(FINAL - SETTLED)
    assert await calendar.refresh() == 1
    assert await store.stamps.unfinished() == ()
    assert (await calendar.facts())["latest"][0]["state"] == "final"


async def test_a_batch_that_could_not_be_sent_is_sent_later(store, chain):
    class Refusing:
        async def anchor(self, root):
            raise Refused("the fee is over its cap")

        async def settled(self, root):
            return None

    calendar = Calendar(store.stamps, URI, Refusing())
    proof = await stamp(calendar, 1)
    with pytest.raises(Refused, match="over its cap"):
        await calendar.close_batch()
    regtest, batcher = chain
    again = Calendar(store.stamps, URI, batcher)
    await again.refresh()
    await regtest.mine(SETTLED)
    await again.refresh()
    assert (await upgraded(again, proof)).attested()


async def test_a_place_that_does_not_hold_the_batch_is_not_attached(store, chain):
    regtest, batcher = chain

    class Lying:
        def __init__(self, change):
            self.change = change

        async def anchor(self, root):
            await batcher.anchor(root)

        async def settled(self, root):
            mined = await batcher.settled(root)
            return mined and self.change(mined)

    wrong_header = Lying(lambda mined: msgspec.structs.replace(mined, header=bytes(80)))
    calendar = Calendar(store.stamps, URI, wrong_header)
    proof = await stamp(calendar, 1)
    await calendar.close_batch()
    await regtest.mine(SETTLED)
    with pytest.raises(ProofInvalid, match="does not lead"):
        await calendar.refresh()
    other = await store.stamps.unfinished()
    assert other[0].tail is None
    await stamp(calendar, 2)
    await Calendar(store.stamps, URI, batcher).close_batch()
    await regtest.mine(SETTLED)
    raws = dict(batcher.sent)
    swapped = list(raws.values())[-1]
    wrong_transaction = Lying(lambda mined: msgspec.structs.replace(mined, raw=swapped))
    with pytest.raises(ProofInvalid, match="does not"):
        await Calendar(store.stamps, URI, wrong_transaction).refresh()
    assert (await calendar.find(commitment(proof))).way == b""


async def test_changed_rows_are_noticed_before_a_proof_is_made(tmp_path, chain):
    regtest, batcher = chain
    path = tmp_path / "hermes.db"
    async with Store.open(path, SystemClock()) as store:
        calendar = Calendar(store.stamps, URI, batcher)
        proofs = [await stamp(calendar, number) for number in range(3)]
        await calendar.close_batch()
        await regtest.mine(SETTLED)
        await calendar.refresh()
        await store._database.write(
            Statement("UPDATE calendar_promises SET commitment = ? WHERE seq = 2", (bytes(32),))
        )
        with pytest.raises(StoreCorrupt, match="batch 1"):
            await Calendar(store.stamps, URI, batcher).find(commitment(proofs[0]))


async def test_a_batch_takes_only_what_it_was_made_of(store):
    stamps = store.stamps
    for number in range(4):
        await stamps.add(bytes([number]) * 32)
    taken = await stamps.waiting(3)
    await stamps.close(b"root", taken)
    assert [raw[0] for _, raw in await stamps.waiting(10)] == [3]
    assert [raw[0] for _, raw in await stamps.leaves(1)] == [0, 1, 2]
    assert await stamps.counts() == {
        "promises": 4,
        "waiting": 1,
        "batches": 1,
        "unattested": 1,
    }
