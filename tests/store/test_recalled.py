import pytest

from hermes.store.likely import Word
from hermes.store.recalled import Brought


@pytest.fixture
async def memories(store):
    return [await store.memory.add("p", "decision", f"fact {one}") for one in ("a", "b", "c")]


async def test_what_a_turn_was_shown_comes_back_in_order(store, memories):
    one, two, three = memories
    brought = [Brought(two, 0.9, {}, shown=True), Brought(one, 0.8, {}, shown=True)]
    await store.recalled.keep("c", "t1", [*brought, Brought(three, 0.2, {}, shown=False)])
    await store.recalled.keep("c", "t2", [Brought(three, 0.5, {}, shown=True)])

    shown = await store.recalled.shown(["t2", "t1", "t9"])

    assert [(row.turn, row.memory) for row in shown] == [("t1", two), ("t1", one), ("t2", three)]
    assert (shown[0].memory_type, shown[0].content) == ("decision", "fact b")


async def test_what_was_shown_stays_so(store, memories):
    for shown in (True, False):
        await store.recalled.keep("c", "t1", [Brought(memories[0], 0.9, {}, shown=shown)])
    assert len(await store.recalled.shown(["t1"])) == 1


async def test_a_forgotten_memory_is_not_shown_and_leaves_no_words(store, memories, path):
    await store.recalled.keep("c", "t1", [Brought(memories[0], 0.9, {"text": 1}, shown=True)])
    await store.memory.forget(memories[0])

    assert await store.recalled.shown(["t1"]) == ()
    (row,) = await store.recalled.why("c", 5)
    assert (row.memory, row.content) == (memories[0], None)


async def test_why_tells_the_newest_turn_first_with_what_came_close(store, memories):
    one, two, three = memories
    near = Brought(three, 0.2, {"text": 0.2}, shown=False)
    await store.recalled.keep("c", "t1", [near, Brought(one, 0.9, {}, shown=True)])
    await store.recalled.keep("c", "t2", [Brought(two, 0.5, {}, shown=True)])
    await store.recalled.keep("other", "t3", [Brought(two, 0.5, {}, shown=True)])

    rows = await store.recalled.why("c", 5)

    assert [(row.turn, row.memory, row.shown) for row in rows] == [
        ("t2", two, True),
        ("t1", one, True),
        ("t1", three, False),
    ]
    assert rows[2].why == {"text": 0.2}
    assert [row.turn for row in await store.recalled.why("c", 1)] == ["t2"]


async def test_uses_are_counted(store, memories, clock):
    one, two, three = memories
    used = [Brought(one, 0.9, {}, shown=True, used=True), Brought(two, 0.9, {}, shown=True)]
    await store.recalled.keep("c", "t1", used)
    await store.recalled.used([one, three])
    await store.recalled.used([])

    found, _ = await store.likely.by_words("p", [Word("fact", beginning=False)], 9, clock.now)
    uses = {candidate.memory.id: candidate.uses for candidate in found}
    last = {candidate.memory.id: candidate.last_used for candidate in found}

    assert uses == {one: 2, two: 0, three: 1}
    assert last[one] > 0
    assert last[two] == 0


async def test_the_newest_conversation_of_a_project(store):
    assert await store.recalled.newest("/nowhere") is None
    assert await store.recalled.why("nothing", 5) == ()


async def test_words_weigh_by_how_many_memories_have_them(store, memories, clock):
    words = [
        Word("fact", beginning=False),
        Word("fac", beginning=True),
        Word("zebra", beginning=True),
    ]
    _, weights = await store.likely.by_words("p", words, 9, clock.now)
    assert (weights.total, weights.having) == (3, (3, 3, 0))


async def test_the_stamp_moves_with_every_memory(store, memories):
    stamps = [await store.likely.stamp()]
    await store.memory.add("p", "fact", "one more")
    stamps.append(await store.likely.stamp())
    await store.memory.forget(memories[0])
    stamps.append(await store.likely.stamp())
    assert len(set(stamps)) == 3
    pages = [await store.likely.page(after, 2, 1) for after in (0, 3)]
    assert [[one.content for one in page] for page in pages] == [["fact b", "fact c"], ["one more"]]
