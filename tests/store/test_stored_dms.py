"""Pairings and direct messages in the store."""

import pytest

from hermes.store.dms import Post, Received
from hermes.store.pairings import Desk
from hermes.store.store import Store

ANN, BOB = "aa" * 32, "bb" * 32
DESK = Desk("/home/ann/project", "/home/ann/project/src")
MINUTE = 60_000


def message(id_="m1", sender=ANN, text="hello", kind="turn"):
    return Received(id_, sender, 1_700_000_000_000, kind, text)


def post(rumour="r1", to=ANN, created=1_700_000_000):
    return Post(to, rumour, created, '{"kind":1059}')


@pytest.fixture
async def paired(store, clock):
    await store.pairings.offer("digest", "phone", clock.now + MINUTE, DESK)
    assert await store.pairings.pair("digest", ANN)
    return store


async def test_a_code_lets_one_key_in_once(paired):
    found = await paired.pairings.get(ANN)
    assert (found.name, found.state, found.desk) == ("phone", "active", DESK)
    assert not await paired.pairings.pair("digest", BOB)
    assert not await paired.pairings.pair("digest", ANN)
    assert not await paired.pairings.pair("another", BOB)
    assert await paired.pairings.get(BOB) is None


async def test_a_code_ends(store, clock):
    await store.pairings.offer("digest", "", clock.now + MINUTE, DESK)
    clock.now += MINUTE
    assert not await store.pairings.pair("digest", ANN)
    clock.now += 24 * 60 * MINUTE
    await store.pairings.offer("next", "", clock.now + MINUTE, DESK)
    assert [one.key for one in await store.pairings.list()] == ["next"]


async def test_a_message_counts_once(paired):
    assert await paired.dms.take(message())
    assert not await paired.dms.take(message())
    assert not await paired.dms.take(message(text="other words under that id"))
    assert not await paired.dms.take(message("m2", BOB))
    assert await paired.dms.unfinished() == (message(),)
    assert await paired.dms.answer(["m1"], [post()])
    assert await paired.dms.unfinished() == ()
    assert not await paired.dms.take(message())


async def test_answers_wait_in_order_until_they_are_taken(paired, path, clock):
    await paired.dms.take(message())
    posts = [post(f"r{number}", created=1_700_000_000 + number) for number in range(3)]
    assert await paired.dms.answer(["m1"], posts)
    assert await paired.dms.waiting() == tuple(posts)
    await paired.dms.sent(["r0", "r1"])
    assert await paired.dms.waiting() == (posts[2],)
    assert await paired.dms.last() == {ANN: 1_700_000_002}


async def test_nothing_is_said_to_strangers(paired):
    assert not await paired.dms.answer([], [post(to=BOB)])
    assert await paired.dms.waiting() == ()


async def test_unpairing_drops_what_waits(paired):
    await paired.dms.take(message())
    await paired.dms.take(message("m2"))
    await paired.dms.answer(["m1"], [post()])
    await paired.pairings.place(ANN, "c")
    assert (await paired.pairings.get(ANN)).desk.conversation == "c"
    assert await paired.pairings.revoke(ANN)
    assert not await paired.pairings.revoke(ANN)
    assert await paired.dms.waiting() == ()
    assert await paired.dms.unfinished() == ()
    assert not await paired.dms.answer(["m2"], [post("r2")])
    assert not await paired.dms.take(message("m3"))


async def test_both_or_neither(paired):
    """A message is finished with its answer, and without one where nobody is left to hear it."""
    await paired.dms.take(message())
    await paired.dms.answer([], [post()])
    assert not await paired.dms.answer(["m1"], [post("r2"), post("r1", BOB)])
    assert await paired.dms.unfinished() == ()
    assert [one.rumour for one in await paired.dms.waiting()] == ["r1"]


async def test_it_is_all_there_afterwards(path, clock):
    async with Store.open(path, clock) as store:
        await store.pairings.offer("digest", "phone", clock.now + MINUTE, DESK)
        await store.pairings.pair("digest", ANN)
        await store.dms.take(message())
        await store.dms.answer([], [post()])
        await store.dms.mark({"w1": 10, "w2": 20})
    async with Store.open(path, clock) as store:
        assert (await store.pairings.get(ANN)).name == "phone"
        assert await store.dms.unfinished() == (message(),)
        assert await store.dms.waiting() == (post(),)
        assert await store.dms.marked(15, 10) == {"w2": 20}
        assert await store.dms.looked() > 0


async def test_what_is_long_over_is_forgotten(paired, clock):
    await paired.dms.take(message())
    await paired.dms.take(message("m2"))
    await paired.dms.answer(["m1"], [post(), post("r2")])
    await paired.dms.sent(["r1"])
    await paired.dms.mark({"w1": 10})
    await paired.dms.sweep(0, 0)
    assert len(await paired.dms.marked(0, 10)) == 1
    later = clock.now + MINUTE
    await paired.dms.sweep(later, later)
    assert await paired.dms.marked(0, 10) == {}
    assert [one.id for one in await paired.dms.unfinished()] == ["m2"]
    assert [one.rumour for one in await paired.dms.waiting()] == ["r2"]
    assert await paired.dms.last() == {ANN: 1_700_000_000}
