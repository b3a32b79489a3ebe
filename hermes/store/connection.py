"""An aiosqlite connection that runs a whole function in its thread: one hop for a group."""

import sqlite3
from collections.abc import Callable
from typing import TypeVar

import aiosqlite
import anyio

T = TypeVar("T")


class Connection(aiosqlite.Connection):
    """One SQLite connection and its thread."""

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, iter_chunk_size=64)

    async def open(self) -> None:
        """Start the thread and connect; shield it: a cancelled one drops its connection."""
        try:
            _ = await self
        except BaseException:
            # aiosqlite tells its thread to stop and leaves; the thread still needs our loop.
            await anyio.to_thread.run_sync(self._thread.join)
            raise

    async def run(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function on the connection, in its thread.

        aiosqlite offers only single statements, each a thread hop of some 50 µs.
        """
        result: T = await self._execute(function, self._conn)  # type: ignore[no-untyped-call]
        return result
