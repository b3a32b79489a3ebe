"""The database: one writer task with group commit, and a pool of readers.

Opened by the holder of the owner's lock only, and once; that is its caller's duty.
"""

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from hermes.errors import StoreError
from hermes.store.connection import Connection
from hermes.store.failures import store_error
from hermes.store.group import Companion, Unit, commit
from hermes.store.log import Log
from hermes.store.migrations import Plan
from hermes.store.opening import open_writer
from hermes.store.readers import Readers
from hermes.store.statement import Row, SqlValue, Statement

T = TypeVar("T")

_QUEUE = 1024
_GROUP_UNITS = 512
_GROUP_BYTES = 4 << 20


class _Pending:
    """A unit of work on its way to the disk."""

    __slots__ = ("done", "failure", "statements")

    def __init__(self, statements: tuple[Statement, ...]) -> None:
        self.statements = statements
        self.done = anyio.Event()
        self.failure: StoreError | None = None

    def settle(self, failure: StoreError | None) -> None:
        self.failure = failure
        self.done.set()


class Database:
    """An SQLite file in WAL mode; use as an async context manager.

    `max_pages` bounds the file (0: SQLite's own limit), for small disks and tests.
    `companion` has a word in every transaction.
    """

    def __init__(
        self,
        path: Path,
        plan: Plan,
        readers: int = 4,
        max_pages: int = 0,
        companion: Companion | None = None,
    ) -> None:
        self.path = path
        self._companion = companion
        self._writer = Connection(partial(open_writer, path, plan, max_pages, companion))
        self._readers = Readers(path, readers)
        self._log = Log(path)
        self._tasks: TaskGroup
        self._units: MemoryObjectSendStream[_Pending]

    async def __aenter__(self) -> Self:
        with anyio.CancelScope(shield=True):  # aiosqlite drops a connection opened meanwhile
            await self._writer.open()
        self._units, waiting = anyio.create_memory_object_stream[_Pending](_QUEUE)
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._write_all, waiting)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._units.close()
        try:
            # The body's own exception is not the writer's: handing it on would wrap it.
            await self._tasks.__aexit__(None, None, None)
        finally:
            with anyio.CancelScope(shield=True):
                await self._readers.close()
                await self._writer.close()  # the last one to close writes the log back

    async def write(self, *statements: Statement) -> None:
        """Commit the statements together; returns once they are on disk.

        A caller that is cancelled meanwhile leaves all of them or none.

        Raises:
            Unmet: a statement did not change the rows it expected; nothing was written.
            StoreError: the disk or SQLite refused; nothing was written.
        """
        pending = await self._accepted(statements)
        await pending.done.wait()
        if pending.failure is not None:
            raise pending.failure

    async def write_each(self, units: Sequence[Unit]) -> list[StoreError | None]:
        """Commit several units, each for itself; for each, None or why it was not written.

        For who has many at once: one wait for all of them instead of a task for each.

        Raises:
            StoreError: the store is closed; some may have been written.
        """
        accepted = [await self._accepted(tuple(unit)) for unit in units]
        for pending in accepted:
            if not pending.done.is_set():
                await pending.done.wait()
        return [pending.failure for pending in accepted]

    async def _accepted(self, statements: tuple[Statement, ...]) -> _Pending:
        pending = _Pending(statements)
        try:
            try:
                self._units.send_nowait(pending)
            except anyio.WouldBlock:
                await self._units.send(pending)
        except (anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            raise StoreError("the store is closed") from error
        return pending

    async def read(self, sql: str, parameters: tuple[SqlValue, ...] = ()) -> list[Row]:
        """Run one query on a reader; sees every write that was acknowledged."""
        return await self._readers.read(sql, parameters)

    async def look(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run several queries on one reader, all of the same moment."""
        return await self._readers.look(function)

    def log_size(self) -> int:
        """Bytes in the write-ahead log (a look-up on disk: call it in a thread)."""
        return self._log.size()

    async def _write_all(self, waiting: MemoryObjectReceiveStream[_Pending]) -> None:
        # Ends when the sender closes, after everything that was accepted: hence the shield.
        with anyio.CancelScope(shield=True), waiting:
            async for first in waiting:
                group = _gather(first, waiting)
                units = [pending.statements for pending in group]
                results, log_due = await self._writer.run(partial(self._commit, units=units))
                for pending, failure in zip(group, results, strict=True):
                    pending.settle(None if failure is None else store_error(failure, self.path))
                if log_due:
                    await self._writer.run(self._log.write_back)

    def _commit(
        self, database: sqlite3.Connection, units: Sequence[Unit]
    ) -> tuple[list[Exception | None], bool]:
        return commit(database, units, self._companion), self._log.due()


def _gather(first: _Pending, waiting: MemoryObjectReceiveStream[_Pending]) -> list[_Pending]:
    group, size = [first], _size(first)
    while len(group) < _GROUP_UNITS and size < _GROUP_BYTES:
        try:
            group.append(waiting.receive_nowait())
        except (anyio.WouldBlock, anyio.EndOfStream):
            break
        size += _size(group[-1])
    return group


def _size(pending: _Pending) -> int:
    return sum(statement.size for statement in pending.statements)
