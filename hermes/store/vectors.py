"""Vectors of memories, in a file beside the store that can be made again from it at any time.

Not the truth of anything: it is opened without ceremony, thrown away when it is damaged or was
made by another embedder, and written without waiting for the disk.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Protocol, TypeVar

import anyio
import msgspec

from hermes.errors import NotAvailable
from hermes.load import load
from hermes.store.connection import Connection
from hermes.store.failures import store_error

T = TypeVar("T")

_EXTRA = "install the extra: pip install 'hermes-v2[vectors]'"
_FLOAT = 4  # bytes
_TAILS = ("", "-wal", "-shm", "-journal")
_BOOKS = (
    "CREATE TABLE IF NOT EXISTS made (embedder TEXT NOT NULL, floats INTEGER NOT NULL)",
    """CREATE TABLE IF NOT EXISTS entries (
        memory INTEGER PRIMARY KEY, project TEXT NOT NULL, digest BLOB NOT NULL)""",
)
_EMPTY = (
    "DROP TABLE IF EXISTS vectors",
    "DROP TABLE IF EXISTS made",
    "DROP TABLE IF EXISTS entries",
    *_BOOKS,
)
_TABLE = """CREATE VIRTUAL TABLE vectors USING vec0 (
    memory INTEGER PRIMARY KEY, project TEXT PARTITION KEY,
    vector FLOAT[{:d}] DISTANCE_METRIC = cosine)"""
_NEAREST = """SELECT memory, distance FROM vectors
    WHERE vector MATCH ? AND k = ? AND project = ? ORDER BY distance"""


class Vectored(msgspec.Struct, frozen=True):
    """One memory's vector: 32-bit floats, little-endian; `digest`: of what it was made from."""

    memory: int
    project: str
    digest: bytes
    vector: bytes


class VectorIndex(Protocol):
    """Where vectors lie. Methods raise StoreError; `open` NotAvailable, too."""

    async def open(self, embedder: str) -> None:
        """Open it; what another embedder made is thrown away."""
        ...

    async def close(self) -> None:
        """Close it."""
        ...

    async def known(self) -> Mapping[int, bytes]:
        """The memories in it, and the digests of what their vectors were made from."""
        ...

    async def put(self, entries: Sequence[Vectored]) -> None:
        """Put vectors in, in the place of older ones; another length empties it first."""
        ...

    async def drop(self, memories: Sequence[int]) -> None:
        """Take vectors out."""
        ...

    async def settle(self) -> None:
        """Bring what was put in to the disk."""
        ...

    async def nearest(self, project: str, vector: bytes, limit: int) -> Sequence[tuple[int, float]]:
        """The most alike of one project, and their cosines."""
        ...


class SqliteVectors:
    """Vectors in an SQLite file, searched by the extension sqlite-vec."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: Connection | None = None

    async def open(self, embedder: str) -> None:
        """Open the file, making it where there is none."""
        connection = Connection(partial(_open, self.path, embedder))
        with anyio.CancelScope(shield=True):
            try:
                await connection.open()
            except (sqlite3.Error, OSError) as error:
                raise store_error(error, self.path) from error
        self._connection = connection

    async def close(self) -> None:
        """Close the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with anyio.CancelScope(shield=True):
                await connection.close()

    async def known(self) -> Mapping[int, bytes]:
        """What is in it."""
        return await self._run(_known)

    async def put(self, entries: Sequence[Vectored]) -> None:
        """Put vectors in."""
        await self._run(partial(_put, entries=entries))

    async def drop(self, memories: Sequence[int]) -> None:
        """Take vectors out."""
        await self._run(partial(_drop, memories=memories))

    async def settle(self) -> None:
        """Every call is on the disk soon after it returned."""

    async def nearest(self, project: str, vector: bytes, limit: int) -> Sequence[tuple[int, float]]:
        """The most alike."""
        return await self._run(partial(_nearest, project=project, vector=vector, limit=limit))

    async def _run(self, function: Callable[[sqlite3.Connection], T]) -> T:
        if self._connection is None:
            raise NotAvailable("the vectors are not open")
        try:
            return await self._connection.run(function)
        except (sqlite3.Error, ValueError, OverflowError) as error:
            raise store_error(error, self.path) from error


def _open(path: Path, embedder: str) -> sqlite3.Connection:
    part = _extension()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        return _opened(path, part, embedder)
    except sqlite3.DatabaseError:
        for tail in _TAILS:  # derived: made again sooner than mended
            path.with_name(path.name + tail).unlink(missing_ok=True)
        return _opened(path, part, embedder)


def _extension() -> ModuleType:
    try:
        return load("sqlite_vec")
    except ImportError as error:
        raise NotAvailable("vectors of memories need sqlite-vec", _EXTRA) from error


def _opened(path: Path, part: ModuleType, embedder: str) -> sqlite3.Connection:
    path.touch(mode=0o600)
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        try:
            database.enable_load_extension(True)  # noqa: FBT003 - sqlite3's own
            part.load(database)
            database.enable_load_extension(False)  # noqa: FBT003
        except AttributeError as error:
            remedy = 'use a Python whose SQLite loads extensions, or set vectors = "faiss"'
            raise NotAvailable("this Python's SQLite loads no extensions", remedy) from error
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")
        database.execute("BEGIN IMMEDIATE")
        for sql in _BOOKS:
            database.execute(sql)
        made = database.execute("SELECT embedder FROM made").fetchone()
        if made and made[0] != embedder:
            _clear(database)
            made = None
        if not made:
            database.execute("INSERT INTO made VALUES (?, 0)", (embedder,))
        database.execute("SELECT count(*) FROM entries").fetchone()
        database.execute("COMMIT")
    except BaseException:
        database.close()
        raise
    return database


def _clear(database: sqlite3.Connection) -> None:
    for sql in _EMPTY:
        database.execute(sql)


def _known(database: sqlite3.Connection) -> dict[int, bytes]:
    return dict(database.execute("SELECT memory, digest FROM entries").fetchall())


def _put(database: sqlite3.Connection, entries: Sequence[Vectored]) -> None:
    if not entries:
        return
    floats = len(entries[0].vector) // _FLOAT
    numbers = [(one.memory,) for one in entries]
    with _whole(database):
        embedder, made = database.execute("SELECT embedder, floats FROM made").fetchone()
        if made != floats:
            _clear(database)
            database.execute("INSERT INTO made VALUES (?, ?)", (embedder, floats))
            database.execute(_TABLE.format(floats))
        database.executemany("DELETE FROM vectors WHERE memory = ?", numbers)
        database.executemany(
            "INSERT INTO vectors (memory, project, vector) VALUES (?, ?, ?)",
            [(one.memory, one.project, one.vector) for one in entries],
        )
        database.executemany(
            "INSERT OR REPLACE INTO entries VALUES (?, ?, ?)",
            [(one.memory, one.project, one.digest) for one in entries],
        )


def _drop(database: sqlite3.Connection, memories: Sequence[int]) -> None:
    numbers = [(memory,) for memory in memories]
    with _whole(database):
        if _floats(database):
            database.executemany("DELETE FROM vectors WHERE memory = ?", numbers)
        database.executemany("DELETE FROM entries WHERE memory = ?", numbers)


def _nearest(
    database: sqlite3.Connection, project: str, vector: bytes, limit: int
) -> list[tuple[int, float]]:
    if _floats(database) != len(vector) // _FLOAT:
        return []
    rows = database.execute(_NEAREST, (vector, limit, project)).fetchall()
    return [(memory, 1.0 - distance) for memory, distance in rows if distance is not None]


def _floats(database: sqlite3.Connection) -> int:
    return int(database.execute("SELECT floats FROM made").fetchone()[0])


class _whole:  # noqa: N801 - reads as a word in `with`
    """A transaction that is rolled back when it fails."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        self._database.execute("COMMIT" if kind is None else "ROLLBACK")
