import sqlite3
from contextlib import closing

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.errors import StoreError, StoreFull
from hermes.store.database import Database
from hermes.store.group import commit
from hermes.store.migrations import Migration, Plan
from hermes.store.statement import Statement, Unmet
from hermes.store.store import Store
from tests.store.talk import chain, conversation, message

TABLES = (
    "CREATE TABLE facts (id INTEGER PRIMARY KEY, word TEXT UNIQUE)",
    "CREATE TABLE cells (name TEXT PRIMARY KEY, value TEXT)",
)
PLAN = Plan(5, (Migration(1, "tables", TABLES),))


def fact(word: str) -> Statement:
    sql = "INSERT INTO facts (word) VALUES (?) ON CONFLICT (word) DO NOTHING"
    return Statement(sql, (word,), append=True)


def put(name: str, value: str) -> Statement:
    return Statement("INSERT OR REPLACE INTO cells VALUES (?, ?)", (name, value))


def grow(name: str, value: str, expect: int | None = None) -> Statement:
    sql = "UPDATE cells SET value = value || ? WHERE name = ?"
    return Statement(sql, (value, name), expect=expect)


def drop(name: str, expect: int | None = None) -> Statement:
    return Statement("DELETE FROM cells WHERE name = ?", (name,), expect=expect)


_names, _words = st.sampled_from("abc"), st.sampled_from("uvwxyz")
_expect = st.sampled_from([None, 1])
_statement = st.one_of(
    st.builds(fact, _words),
    st.builds(put, _names, _words),
    st.builds(grow, _names, _words, _expect),
    st.builds(drop, _names, _expect),
)


@given(st.lists(st.lists(_statement, min_size=1, max_size=4), min_size=1, max_size=8))
def test_a_group_is_as_good_as_its_units_one_after_the_other(units):
    def after(groups):
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
            for sql in TABLES:
                database.execute(sql)
            results = [failure for group in groups for failure in commit(database, group)]
            facts = database.execute("SELECT word FROM facts ORDER BY word").fetchall()
            cells = database.execute("SELECT * FROM cells ORDER BY name").fetchall()
            return facts, cells, [type(failure) for failure in results]

    assert after([units]) == after([[unit] for unit in units])


async def test_one_bad_unit_fails_alone(path):
    results: dict[int, str] = {}

    async def one(database: Database, number: int) -> None:
        bad = number % 10 == 3
        try:
            await database.write(
                fact(f"word {number}"), put(str(number), "x"), *([drop("gone", 1)] * bad)
            )
            results[number] = "kept"
        except Unmet:
            results[number] = "refused"

    async with Database(path, PLAN) as database:
        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(one, database, number)
        facts = await database.read("SELECT word FROM facts")
        cells = await database.read("SELECT name FROM cells")

    refused = {number for number, result in results.items() if result == "refused"}
    assert refused == {3, 13, 23, 33, 43}
    kept = set(range(50)) - refused
    assert {word for (word,) in facts} == {f"word {number}" for number in kept}
    assert {int(name) for (name,) in cells} == kept


async def test_bad_sql_and_bad_values_fail_alone(path):
    class Odd:
        pass

    bad = (
        Statement("INSERT INTO nowhere VALUES (1)"),
        Statement("not sql"),
        Statement("INSERT INTO cells VALUES (?, ?)", ("one",)),
        put("\ud800", "half a pair"),
        Statement("INSERT INTO cells VALUES (?, ?)", (2**70, None)),
        Statement("INSERT INTO cells VALUES (?, ?)", (Odd(), None)),  # type: ignore[arg-type]
    )
    async with Database(path, PLAN) as database:
        for statement in bad:
            with pytest.raises(StoreError):
                await database.write(put("before", "x"), statement)
        assert await database.read("SELECT * FROM cells") == []
        await database.write(put("after", "x"))
        assert await database.read("SELECT name FROM cells") == [("after",)]


async def test_thirty_two_producers(store, path, clock):
    async def produce() -> None:
        made = await conversation(store)
        for number in range(20):
            heads = (await store.conversations.get(made)).heads
            (cid,) = await store.conversations.append(message(f"word {number}", made, heads))
            # What is acknowledged is on disk and can be read.
            assert (await store.conversations.history(made))[-1].cid == cid

    async with anyio.create_task_group() as tasks:
        for _ in range(32):
            tasks.start_soon(produce)

    infos = await store.conversations.list(100)
    assert [info.messages for info in infos] == [20] * 32
    for info in infos:
        texts = [s.message.text for s in await store.conversations.history(info.id)]
        assert texts == [f"word {number}" for number in range(20)]
    assert (await store.size())["messages"] == 640
    assert await store.verify() == ()
    assert await store.integrity() == ()


async def test_a_cancelled_producer_leaves_all_or_nothing(store):
    made = await conversation(store)
    appended = chain(made, "first", "second")

    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(store.conversations.append, *appended)
            await anyio.lowlevel.checkpoint()  # it is with the writer now
            scope.cancel()

    other = await conversation(store, "later")
    assert len(await store.conversations.history(made)) in {0, 2}
    assert len(await store.conversations.history(other)) == 1
    assert await store.verify() == ()


async def test_what_was_accepted_is_written_although_the_body_is_cancelled(path, clock):
    with anyio.CancelScope() as scope:
        async with Store.open(path, clock) as store:
            made = await conversation(store)
            async with anyio.create_task_group() as tasks:
                for text in "abcdef":
                    tasks.start_soon(store.conversations.append, message(text, made))
                    await anyio.lowlevel.checkpoint()  # the next one waits behind its commit
                scope.cancel()
    async with Store.open(path, clock) as store:
        assert (await store.size())["messages"] == 6
        assert await store.verify() == ()


async def test_a_cancelled_query_is_interrupted(path):
    endless = (
        "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
    )
    with anyio.fail_after(20):
        async with Database(path, PLAN, readers=1) as database:
            with anyio.move_on_after(0.05):
                await database.read(endless)
            assert await database.read("SELECT count(*) FROM cells") == [(0,)]


async def test_a_full_store_refuses_a_write_and_goes_on(path, clock):
    async with Store.open(path, clock) as store:
        made = await conversation(store)
        pages = (await store.size())["file_bytes"] // 4096
    async with Store.open(path, clock, max_pages=pages + 40) as store:
        kept, refused = 0, None
        while refused is None:
            try:
                await store.conversations.append(message("x" * 10_000, made))
                kept += 1
            except StoreFull as error:
                refused = error
        assert "safe" in refused.remedy
        assert kept > 0
        await store.conversations.set_title(made, "still here")
        assert (await store.conversations.get(made)).title == "still here"
        assert await store.integrity() == ()
    async with Store.open(path, clock) as store:
        assert (await store.size())["messages"] == kept
        await store.conversations.append(message("there is room again", made))
        assert await store.verify() == ()


async def test_the_log_stays_small(path, clock):
    sizes = []
    async with Store.open(path, clock) as store:
        for number in range(100):
            await store.blobs.put(number.to_bytes(4, "big") * 250_000)
            sizes.append((await store.size())["log_bytes"])
        total = (await store.size())["blob_bytes"]
    assert total == 100_000_000
    assert max(sizes) < 16 << 20
    assert not path.with_name("store.db-wal").exists()


async def test_a_long_read_does_not_let_the_log_grow_without_end(path):
    slow = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 3000000)"
    async with Database(path, PLAN, readers=1) as database:
        await database.write(put("first", "x"))
        sizes = []
        async with anyio.create_task_group() as tasks:
            sql = f"{slow} SELECT count(*) FROM n, cells"
            tasks.start_soon(database.read, sql)
            for number in range(90):
                await database.write(put(str(number), "x" * 1_000_000))
                sizes.append(await anyio.to_thread.run_sync(database.log_size))
    assert max(sizes) < 64 << 20
