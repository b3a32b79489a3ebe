"""What a node remembers of homes: parcels, promises and notes."""

import pytest

from hermes.core.clock import SystemClock
from hermes.store.homes import Begun, ParcelRow, Promised
from hermes.store.statement import Unmet
from hermes.store.store import Store

ROW = ParcelRow("turn-1", "talk", "origin", "place", b"{}", 2_000, fresh=True)


@pytest.fixture
async def store(tmp_path):
    async with Store.open(tmp_path / "hermes.db", SystemClock()) as found:
        yield found


async def test_a_parcel_is_kept_until_its_first_end(store):
    book = store.homes
    await book.put(ROW)
    await book.put(ROW._replace(conversation="another"))  # the first one stays
    assert await book.open() == (ROW,)
    await book.forward("turn-1", "there", alone=True)
    assert await book.get("turn-1") == ROW._replace(forwarded="there", alone=True)
    assert await book.final("turn-1") is None
    await book.end("turn-1", b"first")
    await book.end("turn-1", b"second")
    await book.forward("turn-1", "elsewhere", alone=False)
    assert await book.final("turn-1") == b"first"
    assert await book.open() == ()
    assert (await book.get("turn-1")).forwarded == "there"
    await book.sweep(0)
    assert await book.final("turn-1") == b"first"
    await book.sweep(SystemClock().now_ms() + 1)
    assert await book.get("turn-1") is None


async def test_what_was_handed_on_and_is_long_over_is_forgotten(store):
    for turn, expires in (("handed on", 2_000), ("young", 9_000)):
        await store.homes.put(ROW._replace(turn=turn, expires=expires))
    await store.homes.sweep(5_000)
    assert [row.turn for row in await store.homes.open()] == ["young"]


async def test_open_parcels_come_in_the_order_in_which_they_came(store):
    for name in "cab":
        await store.homes.put(ROW._replace(turn=name))
    found = [row.turn for row in await store.homes.open()]
    assert sorted(found) == ["a", "b", "c"]


async def test_a_parcel_and_its_letter_are_noted_together_or_not_at_all(store):
    await store.mesh.note("letter", "somebody", 2**40, b"data")
    await store.homes.put(ROW, store.mesh.finishing("letter"))
    with pytest.raises(Unmet):
        await store.homes.put(ROW._replace(turn="turn-2"), store.mesh.finishing("letter"))
    assert [row.turn for row in await store.homes.open()] == ["turn-1"]


async def test_promises_are_the_newest_of_each_key(store):
    first = Promised("talk", 3, "a", 1_000, freed=False)
    second = Promised("talk", 3, "a", 1_000, freed=True)
    await store.homes.promise(first)
    await store.homes.promise(second)
    await store.homes.promise(first._replace(key="other"))
    assert set(await store.homes.promises()) == {second, first._replace(key="other")}


async def test_notes_follow_the_book_and_say_whose_they_are(store):
    book = store.homes
    one = Begun(1, {"x": 1})
    two = Begun(2, {"x": 1, "y": 2})
    three = Begun(4, {"y": 2})
    await book.intend("talk", Begun(0, {}), one)
    await book.intend("talk", one, two, mine=True)
    assert await book.intents() == {"talk": two}
    assert await book.mine("talk", "x") is None
    assert await book.mine("talk", "y") == 2
    await book.intend("talk", two, three)
    assert await book.intents() == {"talk": three}
    assert await book.mine("talk", "y") == 2
