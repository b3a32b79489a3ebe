"""The events of this node's relay: kept, found, taken back, thrown away.

What is written was verified and admitted by the caller; nothing here knows Nostr's signatures.
A search that takes too many steps or bytes is cut short: filters come from strangers.
"""

import itertools
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import anyio.to_thread

from hermes.errors import StoreError, StoreOwned
from hermes.store.database import Database
from hermes.store.lock import OwnerLock
from hermes.store.relay_filter import Wanted, condition
from hermes.store.statement import Row, SqlValue, Statement, Unmet
from hermes.store.tables_relay import RELAY_PLAN

T = TypeVar("T")
Status = Literal["kept", "erased", "absent"]

_KEEP = """INSERT INTO events (id, pubkey, created_at, kind, expires, address, size, data)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_WRAP = 1059
_ERASE = """INSERT INTO erased (id, pubkey, known)
    SELECT ?1, ?2, EXISTS (SELECT 1 FROM events WHERE id = ?1 AND kind <> 5
        AND (pubkey = ?2 OR (kind = 1059 AND EXISTS (SELECT 1 FROM event_tags
            WHERE event = events.seq AND name = 'p' AND value = ?3))))
    WHERE TRUE ON CONFLICT DO UPDATE SET known = max(known, excluded.known)"""
_DROP = """DELETE FROM events
    WHERE id = ?1 AND EXISTS (SELECT 1 FROM erased WHERE id = ?1 AND known = 1)"""
_ERASE_ADDRESS = """INSERT INTO erased_addresses (address, until) VALUES (?, ?)
    ON CONFLICT DO UPDATE SET until = max(until, excluded.until)"""
_DROP_ADDRESS = "DELETE FROM events WHERE address = ? AND created_at <= ?"
_STATUS = """SELECT EXISTS (SELECT 1 FROM events WHERE id = ?1),
    EXISTS (SELECT 1 FROM erased WHERE id = ?1 AND known = 1)"""
_OUTCOME = """SELECT EXISTS (SELECT 1 FROM events WHERE id = ?1),
    EXISTS (SELECT 1 FROM erased WHERE id = ?1 AND (known = 1 OR pubkey = ?2))"""
_IDS = "SELECT id FROM events UNION ALL SELECT id FROM erased WHERE known = 1"
_ORDER = "ORDER BY created_at DESC, id LIMIT ?"
_EXPIRED = "DELETE FROM events WHERE expires <= ?"
_WEIGHT = "SELECT count(*), coalesce(sum(size), 0) FROM events"
_OVER = """DELETE FROM events WHERE seq IN (SELECT seq FROM (SELECT seq,
    sum(size) OVER (ORDER BY created_at DESC, id) AS upto FROM events WHERE kind = ?)
    WHERE upto > ?)"""

_STEP = 10_000
_STEPS_MOST = 20_000_000
_BYTES_MOST = 16 << 20


class Kept(NamedTuple):
    """An event as a row; times in seconds, `data` its JSON, `address` as `kind:pubkey:d`."""

    id: bytes
    pubkey: bytes
    created_at: int
    kind: int
    expires: int | None
    address: str | None
    data: str


class Erasure(NamedTuple):
    """What an event's author takes back: ids, and addresses up to the event's own time."""

    ids: tuple[bytes, ...] = ()
    addresses: tuple[str, ...] = ()


class Name(NamedTuple):
    """An event without what it says."""

    id: bytes
    pubkey: bytes
    created_at: int
    kind: int


class RelayEvents:
    """The events in a database made by `relay_database`."""

    def __init__(self, database: Database, steps: int = _STEPS_MOST) -> None:
        self._database = database
        self._steps = steps

    async def keep_each(
        self, events: Sequence[tuple[Kept, Erasure | None]]
    ) -> list[Status | StoreError]:
        """Store events and what they take back; on disk when this returns, or why not.

        "absent": something newer stands at its address. Raises StoreError: the store is closed.
        """
        failures = await self._database.write_each([_unit(*one) for one in events])
        return [
            await self._became(event, failure)
            for (event, _), failure in zip(events, failures, strict=True)
        ]

    async def _became(self, event: Kept, failure: StoreError | None) -> Status | StoreError:
        if failure is None and event.address is None:
            return "kept"
        if failure is not None and not isinstance(failure, Unmet):
            return failure
        try:
            return await self._outcome(event)
        except StoreError as error:
            return error

    async def status(self, id_: bytes) -> Status:
        """Whether an event is here, or was taken back."""
        kept, erased = (await self._database.read(_STATUS, (id_,)))[0]
        if kept:
            return "kept"
        return "erased" if erased else "absent"

    async def _outcome(self, event: Kept) -> Status:
        kept, erased = (await self._database.read(_OUTCOME, (event.id, event.pubkey)))[0]
        if kept:
            return "kept"
        return "erased" if erased else "absent"

    async def find(self, wanted: Wanted, now: int, most: int) -> list[str]:
        """Events as JSON, newest first; fewer than asked for when they are large.

        Raises StoreError for a filter that takes too many steps.
        """
        where = condition(wanted, now)
        newest = f"SELECT seq FROM events WHERE {where.sql} {_ORDER}"  # noqa: S608 - marks only
        # Sorted by name first, so that no sorter ever holds what the events say.
        sql = f"SELECT size, data FROM events WHERE seq IN ({newest}) {_ORDER}"  # noqa: S608 - same
        return await self._look(partial(_within, sql=sql, values=(*where.values, most, most)))

    async def names(self, wanted: Wanted, now: int, most: int) -> list[Name]:
        """The newest events by name alone, for reconciling."""
        where = condition(wanted, now)
        sql = f"SELECT id, pubkey, created_at, kind FROM events WHERE {where.sql} {_ORDER}"  # noqa: S608 - marks only
        rows = await self._look(partial(_all, sql=sql, values=(*where.values, most)))
        return [Name(*row) for row in rows]

    async def count(self, wanted: Wanted, now: int) -> int:
        """How many events a filter wants."""
        where = condition(wanted, now)
        sql = f"SELECT count(*) FROM events WHERE {where.sql}"  # noqa: S608 - marks only
        found: int = (await self._look(partial(_all, sql=sql, values=where.values)))[0][0]
        return found

    async def drop(self, wanted: Wanted) -> None:
        """Throw events away, without remembering them."""
        where = condition(wanted, -1)
        sql = f"DELETE FROM events WHERE {where.sql}"  # noqa: S608 - marks only
        await self._database.write(Statement(sql, where.values))

    async def purge(self, now: int, wrap_bytes: int) -> None:
        """Throw away what expired, and the oldest wraps beyond so many bytes."""
        await self._database.write(
            Statement(_EXPIRED, (now,)), Statement(_OVER, (_WRAP, wrap_bytes))
        )

    async def ids(self) -> list[bytes]:
        """Every id that is here or was taken back."""
        return [row[0] for row in await self._database.read(_IDS)]

    async def weight(self) -> tuple[int, int]:
        """How many events there are, and their bytes."""
        count, size = (await self._database.read(_WEIGHT))[0]
        return count, size

    async def _look(self, function: Callable[[sqlite3.Connection], T]) -> T:
        return await self._database.look(partial(_bounded, function=function, steps=self._steps))


@asynccontextmanager
async def relay_database(path: Path, max_pages: int = 0) -> AsyncIterator[Database]:
    """Open relay.db, making it where there is none; one process at a time.

    Raises:
        StoreOwned: another process runs a relay on it.
        StoreError: as its text says.
    """
    lock = OwnerLock(path.parent)
    try:
        if not await anyio.to_thread.run_sync(lock.try_acquire):
            holder = await anyio.to_thread.run_sync(lock.holder)
            raise StoreOwned(
                f"another process (pid {holder}) runs the relay of {path.parent}",
                "end it, or use that one",
            )
        async with Database(path, RELAY_PLAN, max_pages=max_pages) as database:
            yield database
    finally:
        lock.release()


def _unit(event: Kept, erasure: Erasure | None) -> tuple[Statement, ...]:
    size = len(event.data.encode())
    insert = Statement(
        _KEEP,
        (*event[:-1], size, event.data),
        # An older version of what is here comes often and must not undo its whole group.
        expect=1 if event.address is None else None,
        size=size,
    )
    return insert, *_erasing(event, erasure or Erasure())


def _erasing(event: Kept, erasure: Erasure) -> Iterator[Statement]:
    author = event.pubkey.hex()
    for id_ in erasure.ids:
        yield Statement(_ERASE, (id_, event.pubkey, author))
        yield Statement(_DROP, (id_,))
    for address in erasure.addresses:
        yield Statement(_ERASE_ADDRESS, (address, event.created_at))
        yield Statement(_DROP_ADDRESS, (address, event.created_at))


def _bounded(
    database: sqlite3.Connection, function: Callable[[sqlite3.Connection], T], steps: int
) -> T:
    left = itertools.count(steps // _STEP, -1)
    database.set_progress_handler(lambda: next(left) <= 0, _STEP)
    try:
        return function(database)
    finally:
        database.set_progress_handler(None, 0)


def _within(database: sqlite3.Connection, sql: str, values: tuple[SqlValue, ...]) -> list[str]:
    found: list[str] = []
    weight = 0
    for size, data in database.execute(sql, values):
        weight += size
        if found and weight > _BYTES_MOST:
            break
        found.append(data)
    return found


def _all(database: sqlite3.Connection, sql: str, values: tuple[SqlValue, ...]) -> list[Row]:
    return database.execute(sql, values).fetchall()
