"""The Merkle log: what a leaf costs beside its row, what proofs and a whole verification take."""

import random
import resource
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median

import anyio

from benchmarks import Row, at_most, told
from benchmarks.store import chats
from hermes.core.canonical import cid_of
from hermes.core.clock import SystemClock
from hermes.core.ids import uuid7
from hermes.store.group import Companion, commit
from hermes.store.ledger import Ledger
from hermes.store.messages import appending
from hermes.store.opening import open_writer
from hermes.store.schema import plan
from hermes.store.statement import Statement
from hermes.store.store import Store

ADD = "INSERT INTO blocks (cid, kind, data) VALUES (?, 'benchmark', ?)"
NEW = """INSERT INTO conversations (id, title, root, node, private, created, updated)
    VALUES (?, '', '/', 'n', 0, 0, 0)"""
COMMIT = 100
EACH = 1_000


def leaf_us(place: Path, commits: int, rounds: int) -> list[Row]:
    """Commits of blocks with and without the log, turn about: CPU time, no fsync."""
    spent: dict[str, list[float]] = {"with": [], "without": []}
    for number in range(rounds):
        rows = [_rows(commits) for _ in spent]
        for side, path in ((name, place / f"{name}-{number}.db") for name in spent):
            spent[side].append(_commits(path, rows.pop(), Ledger(path) if side == "with" else None))
    both, bare = min(spent["with"]), min(spent["without"])
    name = f"a leaf beside its row, commits of {COMMIT}"
    return [told("a block without the log", bare, "µs"), at_most(name, both - bare, "µs", 10)]


def _rows(commits: int) -> list[list[Statement]]:
    data = [uuid7().encode() * 8 for _ in range(commits * COMMIT)]
    every = [Statement(ADD, (cid_of(one), one), append=True) for one in data]
    return [every[at : at + COMMIT] for at in range(0, len(every), COMMIT)]


def _commits(path: Path, groups: list[list[Statement]], companion: Companion | None) -> float:
    with closing(open_writer(path, plan("node"), companion=companion)) as database:
        database.execute("PRAGMA synchronous = OFF")
        start = time.process_time()
        for group in groups:
            assert commit(database, [group], companion) == [None]
        return (time.process_time() - start) / (len(groups) * COMMIT) * 1e6


def fill(path: Path, count: int) -> None:
    """Linked messages with their log; without the words' index, which nothing here reads."""
    ledger = Ledger(path)
    with closing(open_writer(path, plan("node"), companion=ledger)) as database:
        database.execute("PRAGMA synchronous = OFF")
        database.execute("DROP TRIGGER messages_added")
        for _ in range(0, count, EACH):
            _fill_one(database, ledger)
            database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()


def _fill_one(database: sqlite3.Connection, ledger: Ledger) -> None:
    (messages,) = chats(1, EACH)
    _, statements = appending(messages)
    create = Statement(NEW, (messages[0].conversation,))
    assert commit(database, [[create, *statements]], ledger) == [None]


async def proofs(path: Path, times: int) -> list[Row]:
    """Proofs as a caller of the store waits for them."""
    chance = random.Random(3)
    async with Store.open(path, SystemClock()) as store:
        size = await store.log.size()
        leaf = await _ms(lambda: store.log.inclusion(chance.randrange(size), size), times)
        grown = await _ms(lambda: store.log.consistency(chance.randrange(1, size), size), times)
    return [
        at_most(f"inclusion proof, {size:,} leaves", leaf, "ms", 1),
        at_most(f"consistency proof, {size:,} leaves", grown, "ms", 1),
    ]


async def _ms(call: Callable[[], Awaitable[object]], times: int) -> float:
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        await call()
        spent.append(time.perf_counter() - start)
    return median(spent) * 1000


async def verification(path: Path, count: int) -> list[Row]:
    """Everything made again; the limit is that of a million messages, in proportion."""
    async with Store.open(path, SystemClock()) as store:
        start, cpu = time.perf_counter(), time.process_time()
        problems = await store.verify()
        spent, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        told("what it found", len(problems), "problems"),
        at_most(f"verify {count:,} messages", spent, "s", 30 * count / 1_000_000),
        told(f"verify {count:,} messages, CPU", cpu, "s"),
        told("peak memory of all of this", peak, "MB"),
    ]


async def measure(place: Path, *, quick: bool) -> list[Row]:
    """All of it."""
    count = 50_000 if quick else 1_000_000
    rows = leaf_us(place, 100 if quick else 400, 5)
    path = place / "log.db"
    await anyio.to_thread.run_sync(fill, path, count)
    rows += await proofs(path, 100 if quick else 500)
    return rows + await verification(path, count)


def main(quick: bool) -> list[Row]:  # noqa: FBT001 - the scripts' one signature
    """Measure."""
    with tempfile.TemporaryDirectory(prefix="hermes-bench-") as place:
        return anyio.run(partial(measure, Path(place), quick=quick))
