"""The store beside bare sqlite3: durable messages, search, and opening a large file."""

import os
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median

import anyio

from benchmarks import Row, at_least, at_most, told
from hermes.core.clock import SystemClock
from hermes.core.ids import Cid, ConversationId, NodeId, SessionId, TurnId, uuid7
from hermes.core.message import Message, Text, block_of
from hermes.store.messages import appending
from hermes.store.statement import batches
from hermes.store.store import Store

PRODUCERS = 64
WORDS = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in ("a", "ei", "o", "ur") for c in "nrstlkmv"]
GIGABYTE = 1 << 30


def sentence(chance: random.Random, words: int = 24) -> str:
    """Words as people use them: few of them often."""
    return " ".join(
        WORDS[min(int(chance.paretovariate(0.6)) - 1, len(WORDS) - 1)] for _ in range(words)
    )


def chats(count: int, each: int) -> list[list[Message]]:
    """Conversations of linked messages, made beforehand for both sides."""
    chance = random.Random(1)
    made = []
    for _ in range(count):
        conversation, parents = ConversationId(uuid7()), ()
        session, turn = SessionId(uuid7()), TurnId(uuid7())
        messages = []
        for number in range(each):
            said = (Text(sentence(chance)),)
            messages.append(
                Message(
                    conversation, session, turn, "user", said, number, NodeId("n"), uuid7(), parents
                )
            )
            parents = (block_of(messages[-1]).cid,)
        made.append(messages)
    return made


async def ours(path: Path, made: list[list[Message]]) -> float:
    """Messages a second with a producer for each conversation, each waiting for the disk."""

    async def produce(messages: list[Message]) -> None:
        for message in messages:
            await store.conversations.append(message)

    async with Store.open(path, SystemClock()) as store:
        await _create(store, made)
        start = time.perf_counter()
        async with anyio.create_task_group() as tasks:
            for messages in made:
                tasks.start_soon(produce, messages)
        return sum(map(len, made)) / (time.perf_counter() - start)


async def _create(store: Store, made: list[list[Message]]) -> None:
    for messages in made:
        await store.conversations.create(
            conversation=messages[0].conversation, title="", root="/", private=False
        )


async def bare(path: Path, made: list[list[Message]]) -> float:
    """The same rows in the same groups, from prepared parameters, by the sqlite3 module."""
    async with Store.open(path, SystemClock()) as store:
        await _create(store, made)
    groups = [
        batches(appending([message])[1] for message in group) for group in zip(*made, strict=True)
    ]
    return await anyio.to_thread.run_sync(partial(_commit_all, path, groups, made))


def _commit_all(path: Path, groups: list[list[object]], made: list[list[Message]]) -> float:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA synchronous = FULL")
        start = time.perf_counter()
        for group in groups:
            database.execute("BEGIN IMMEDIATE")
            for batch in group:
                database.executemany(batch.sql, batch.rows)
            database.execute("COMMIT")
        return sum(map(len, made)) / (time.perf_counter() - start)


async def writes(place: Path, each: int, rounds: int) -> list[Row]:
    """Ours and the bare one turn about, so that both see the same machine."""
    rates: dict[str, list[float]] = {"ours": [], "bare": []}
    for number in range(rounds):
        for name, side in (("ours", ours), ("bare", bare)):
            rates[name].append(await side(place / f"{name}-{number}.db", chats(PRODUCERS, each)))
    us, it = median(rates["ours"]), median(rates["bare"])
    return [
        told("durable messages, synchronous=FULL", us, "/s", f"bare sqlite3 {it:,.0f}"),
        at_least("durable messages / bare sqlite3 group commit", us / it, "x", 0.5),
    ]


def fill(path: Path, count: int, size: int) -> None:
    """Messages in bulk, the index built afterwards, blobs up to the size."""
    chance = random.Random(2)
    keys = [uuid7() for _ in range(2_000)]
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA synchronous = OFF")
        ((trigger,),) = database.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'messages_added'"
        ).fetchall()
        database.execute("BEGIN")
        database.execute("DROP TRIGGER messages_added")
        database.executemany(
            "INSERT INTO messages (cid, conversation, session, turn, role, at, text)"
            " VALUES (?, ?, 's', 't', 'user', ?, ?)",
            (
                (Cid(f"bafy{number}"), keys[number % len(keys)], number, _text(chance, number))
                for number in range(count)
            ),
        )
        database.execute(trigger)
        database.execute("INSERT INTO messages_fts (messages_fts) VALUES ('rebuild')")
        database.execute("COMMIT")
        while path.stat().st_size < size:
            database.executemany(
                "INSERT INTO blobs (digest, size, data) VALUES (?, ?, ?)",
                ((uuid7(), 1 << 20, os.urandom(1 << 20)) for _ in range(16)),
            )
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def _text(chance: random.Random, number: int) -> str:
    marks = "common " + "seldom " * (number % 100 == 0) + "rarely " * (number % 10_000 == 7)
    return marks + sentence(chance, 12)


QUERIES = (
    ("seldom", False),
    ("common seldom", False),
    ("common rarely", False),
    (f"{WORDS[3]} {WORDS[9]}", False),
    (f'"seldom {WORDS[0]}"', False),
    ("seldom", True),
    ("rarely", True),
    ("common", True),
)
RAW = """SELECT rowid, snippet(messages_fts, 0, '', '', '…', 24) FROM messages_fts
    WHERE messages_fts MATCH ? ORDER BY {} LIMIT 20"""


async def _timed(call: Callable[[], object], times: int) -> float:
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        await call()
        spent.append(time.perf_counter() - start)
    return median(spent) * 1000


async def searches(path: Path, count: int, times: int) -> list[Row]:
    """Each query here and in bare FTS5, turn about."""
    ratios, rows, name = [], [], f"search, {count:,} messages"
    with closing(sqlite3.connect(path, check_same_thread=False)) as raw:
        async with Store.open(path, SystemClock()) as store:
            for query, newest in QUERIES:
                order = "rowid DESC" if newest else "rank"
                words = " ".join(f'"{w}"' for w in query.split()) if '"' not in query else query

                async def bare(order: str = order, words: str = words) -> object:
                    return raw.execute(RAW.format(order), (f"text : ({words})",)).fetchall()

                search = partial(store.search.messages, query, newest=newest)
                await _timed(bare, 1)
                await _timed(search, 1)
                here, there = await _timed(search, times), await _timed(bare, times)
                how = "newest" if newest else "best"
                rows.append(told(f"{name}: {query}, {how} first", here, "ms", f"raw {there:.2f}"))
                # What takes FTS5 0.1 ms is all thread hop here: it has the limit in ms.
                ratios.append(here / there if not newest else 0.0)
    return [
        *rows,
        at_most(f"{name}: the worst of those, best first / raw FTS5", max(ratios), "x", 1.2),
        at_most(f"{name}: a word that all have, newest first", here, "ms", 20),
    ]


async def opening(path: Path, times: int) -> list[Row]:
    """From nothing to the first answer."""
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        async with Store.open(path, SystemClock()) as store:
            await store.conversations.list(1)
            spent.append((time.perf_counter() - start) * 1000)
    size = (await anyio.Path(path).stat()).st_size
    return [at_most(f"open a store of {size / 1e9:.2f} GB", median(spent), "ms", 50)]


async def measure(place: Path, *, quick: bool) -> list[Row]:
    """All of it."""
    count, size = (50_000, GIGABYTE // 8) if quick else (1_000_000, GIGABYTE)
    rows = await writes(place, 40 if quick else 100, 3 if quick else 5)
    large = place / "large.db"
    async with Store.open(large, SystemClock()):
        pass
    await anyio.to_thread.run_sync(fill, large, count, size)
    rows += await searches(large, count, 5 if quick else 15)
    return rows + await opening(large, 10)


def main(quick: bool) -> list[Row]:  # noqa: FBT001 - the scripts' one signature
    """Measure."""
    with tempfile.TemporaryDirectory(prefix="hermes-bench-") as place:
        return anyio.run(partial(measure, Path(place), quick=quick))
