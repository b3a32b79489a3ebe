import sqlite3
from contextlib import closing

import pytest

from hermes.errors import Usage
from hermes.store.store import Store

SEED = """CREATE TABLE project_memory (
id INTEGER PRIMARY KEY,
project_hash TEXT,
memory_type TEXT,
content TEXT,
source_session_id TEXT,
promoted_at REAL,
relevance_score REAL,
expires_at REAL
)"""


async def test_the_table_is_the_seeds(path, clock):
    async with Store.open(path, clock):
        pass
    with closing(sqlite3.connect(path)) as ours, closing(sqlite3.connect(":memory:")) as seed:
        seed.execute(SEED)
        columns = [one.execute("PRAGMA table_info(project_memory)") for one in (ours, seed)]
        assert columns[0].fetchall() == columns[1].fetchall()


async def test_times_stand_in_the_table_in_seconds(path, clock):
    async with Store.open(path, clock) as store:
        await store.memory.add("p", "decision", "words", expires_at=1_800_000_000_500)
    with closing(sqlite3.connect(path)) as database:
        sql = "SELECT promoted_at, expires_at FROM project_memory"
        ((promoted, expires),) = database.execute(sql).fetchall()
    assert promoted == pytest.approx(1_700_000_000, abs=10)
    assert expires == 1_800_000_000.5


async def test_the_same_words_are_kept_once_while_they_live(store, clock):
    first = await store.memory.add("p", "decision", "use SQLite")
    assert await store.memory.add("p", "decision", "use SQLite") == first
    others = {
        await store.memory.add("q", "decision", "use SQLite"),
        await store.memory.add("p", "pattern", "use SQLite"),
    }
    assert first not in others
    soon = await store.memory.add("p", "decision", "brief", expires_at=clock.now + 2)
    clock.now += 10
    assert await store.memory.add("p", "decision", "brief") != soon
    assert await store.verify() == ()


async def test_recall_finds_live_memories_of_the_project(store, clock):
    await store.memory.add("p", "decision", "the database is SQLite", "session-1", 0.5)
    best = await store.memory.add("p", "decision", "the database: SQLite, never Redis")
    await store.memory.add("other", "decision", "the database is Redis")
    await store.memory.add("p", "decision", "Redis for a day", expires_at=clock.now + 1_000)

    found = await store.memory.recall("p", 'which "database", Redis or SQLite?', 2, clock.now)
    assert found[0].id == best
    assert len(found) == 2
    later = await store.memory.recall("p", "redis", 5, clock.now + 5_000)
    assert [memory.id for memory in later] == [best]
    assert await store.memory.recall("p", " ?! ", 5) == ()
    assert await store.memory.recall("p", "nothing like it") == ()


async def test_relevance_moves_a_memory_up(store):
    low = await store.memory.add("p", "fact", "apples are green", relevance_score=0.2)
    high = await store.memory.add("p", "fact", "apples are sweet", relevance_score=2.0)

    assert [memory.id for memory in await store.memory.recall("p", "apples")] == [high, low]


async def test_the_list_is_newest_first_in_pages(store):
    made = [await store.memory.add("p", "fact", str(number)) for number in range(5)]

    assert [m.id for m in await store.memory.list("p")] == made[::-1]
    assert [m.id for m in await store.memory.list("p", 2, 1)] == [made[3], made[2]]
    assert await store.memory.list("q") == ()


async def test_a_superseded_memory_is_replaced(store):
    old = await store.memory.add("p", "decision", "use Redis", relevance_score=0.7)
    new = await store.memory.supersede(old, "use SQLite", "session-2")

    (live,) = await store.memory.list("p")
    assert (live.id, live.content, live.relevance_score) == (new, "use SQLite", 0.7)
    assert (await store.memory.get(old)).expires_at is not None
    with pytest.raises(Usage):
        await store.memory.supersede(old, "use files")
    with pytest.raises(Usage):
        await store.memory.supersede(99, "use files")
    assert await store.verify() == ()


async def test_a_forgotten_memory_leaves_its_name_and_no_words(path, clock):
    words = "unmistakable-needle"
    async with Store.open(path, clock) as store:
        await store.memory.add("p", "fact", "hay")
        memory = await store.memory.add("p", "fact", f"the {words} is here")
        await store.memory.forget(memory)

        assert [m.content for m in await store.memory.list("p")] == ["hay"]
        assert await store.memory.recall("p", words) == ()
        assert await store.verify() == ()
        assert await store.integrity() == ()
        with pytest.raises(Usage):
            await store.memory.forget(memory)
        assert await store.memory.add("p", "fact", "next") == memory + 1
    data = path.read_bytes()
    assert b"hay" in data
    assert b"unmistakable" not in data
    assert b"needle" not in data


async def test_a_changed_memory_is_found_out(path, clock):
    async with Store.open(path, clock) as store:
        memory = await store.memory.add("p", "fact", "the sky is blue")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE project_memory SET content = 'the sky is green'")
    async with Store.open(path, clock) as store:
        problems = await store.verify()
    assert problems == (f"memory_values {memory}: content differs from its block",)
