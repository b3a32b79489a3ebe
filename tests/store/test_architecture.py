import msgspec

from hermes.core.canonical import decode, link, link_blob
from hermes.store.architecture import ARCHITECTURE_KIND, Architecture
from hermes.store.car_out import Wanted
from hermes.store.store import Store

STATE = Architecture("0.1.0", "Ember", "ab" * 32, {"soul": b"a soul", "tools": b"[]"})


async def test_a_state_is_recorded_once_and_again_when_it_changed(store):
    first = await store.architectures.record(STATE)
    assert await store.architectures.record(STATE) is None
    newer = msgspec.structs.replace(STATE, parts={**STATE.parts, "soul": b"another soul"})
    second = await store.architectures.record(newer)
    back = await store.architectures.record(STATE)

    assert len({first, second, back}) == 3
    assert [one.cid for one in await store.architectures.list()] == [first, second, back]
    latest = await store.architectures.latest()
    assert latest.parts == STATE.digests
    assert (latest.version, latest.model, latest.model_digest) == ("0.1.0", "Ember", "ab" * 32)
    assert await store.blobs.get(newer.digests["soul"]) == b"another soul"
    assert await store.verify() == ()


async def test_a_state_is_a_leaf_that_links_what_it_is_made_of(store, tmp_path):
    first = await store.architectures.record(STATE)
    second = await store.architectures.record(msgspec.structs.replace(STATE, version="0.2.0"))
    (_, act) = await store.acts.list(ARCHITECTURE_KIND)
    block = decode(act.data)
    assert block["parents"] == [link(first)]
    assert block["parts"]["soul"] == link_blob(STATE.digests["soul"])
    assert await store.log.leaf(await store.log.index_of(second)) == second
    done = await store.export_car(tmp_path / "state.car", Wanted(cids=(second,)))
    assert (done.blocks, done.blobs) == (2, 2)


async def test_the_order_of_parts_is_no_change(path, clock):
    async with Store.open(path, clock) as store:
        await store.architectures.record(STATE)
    turned = dict(reversed(STATE.parts.items()))
    async with Store.open(path, clock) as store:
        assert await store.architectures.record(
            msgspec.structs.replace(STATE, parts=turned)
        ) is None  # fmt: skip
