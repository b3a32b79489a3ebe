"""The pool of reading connections, opened as they are needed."""

import sqlite3
from functools import partial
from pathlib import Path

import anyio

from hermes.store.connection import Connection
from hermes.store.failures import store_error
from hermes.store.opening import open_reader
from hermes.store.statement import Row, SqlValue


class Readers:
    """At most `limit` connections that cannot write."""

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._idle: list[Connection] = []
        self._slots = anyio.Semaphore(limit, fast_acquire=True)

    async def read(self, sql: str, parameters: tuple[SqlValue, ...]) -> list[Row]:
        """Run one query; a cancelled one is interrupted."""
        async with self._slots:
            connection = self._idle.pop() if self._idle else await self._opened()
            try:
                rows = await connection.run(partial(_fetch, sql=sql, parameters=parameters))
            except (sqlite3.Error, ValueError, OverflowError) as error:
                raise store_error(error, self._path) from error
            except anyio.get_cancelled_exc_class():
                with anyio.CancelScope(shield=True):
                    await connection.interrupt()
                raise
            finally:
                # What still runs there ends first: its thread takes one thing at a time.
                self._idle.append(connection)
        return rows

    async def close(self) -> None:
        """Close them all; nothing may be reading any more."""
        while self._idle:
            await self._idle.pop().close()

    async def _opened(self) -> Connection:
        connection = Connection(partial(open_reader, self._path))
        with anyio.CancelScope(shield=True):
            await connection.open()
        return connection


def _fetch(database: sqlite3.Connection, sql: str, parameters: tuple[SqlValue, ...]) -> list[Row]:
    return database.execute(sql, parameters).fetchall()
