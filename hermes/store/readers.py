"""The pool of reading connections, opened as they are needed."""

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio

from hermes.store.connection import Connection
from hermes.store.failures import store_error
from hermes.store.opening import open_reader
from hermes.store.statement import Row, SqlValue

T = TypeVar("T")


class Readers:
    """At most `limit` connections that cannot write."""

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._idle: list[Connection] = []
        self._slots = anyio.Semaphore(limit, fast_acquire=True)

    async def read(self, sql: str, parameters: tuple[SqlValue, ...]) -> list[Row]:
        """Run one query; a cancelled one is interrupted."""
        return await self._run(partial(_fetch, sql=sql, parameters=parameters))

    async def look(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run several queries that see one moment; keep it short, for it holds the log back."""
        return await self._run(partial(_at_once, function=function))

    async def _run(self, function: Callable[[sqlite3.Connection], T]) -> T:
        async with self._slots:
            connection = self._idle.pop() if self._idle else await self._opened()
            try:
                found = await connection.run(function)
            except (sqlite3.Error, ValueError, OverflowError) as error:
                raise store_error(error, self._path) from error
            except anyio.get_cancelled_exc_class():
                with anyio.CancelScope(shield=True):
                    await connection.interrupt()
                raise
            finally:
                # What still runs there ends first: its thread takes one thing at a time.
                self._idle.append(connection)
        return found

    async def close(self) -> None:
        """Close them all; nothing may be reading any more."""
        while self._idle:
            await self._idle.pop().close()

    async def _opened(self) -> Connection:
        connection = Connection(partial(open_reader, self._path))
        with anyio.CancelScope(shield=True):
            await connection.open()
        return connection


def _at_once(database: sqlite3.Connection, function: Callable[[sqlite3.Connection], T]) -> T:
    database.execute("BEGIN")
    try:
        return function(database)
    finally:
        if database.in_transaction:
            database.rollback()


def _fetch(database: sqlite3.Connection, sql: str, parameters: tuple[SqlValue, ...]) -> list[Row]:
    return database.execute(sql, parameters).fetchall()
