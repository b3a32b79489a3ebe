"""The log's writing side: every row of `blocks` becomes a leaf in the transaction it came in.

Leaf n is the row with seq n + 1, its data the 36 bytes of the block's name. The row of
`log_state` is the truth: what is in memory counts only while it says the same, so that a
transaction that was rolled back leaves nothing behind.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from hermes.core.canonical import link
from hermes.core.ids import Cid
from hermes.core.merkle import HASH_SIZE, leaf_hash
from hermes.core.tiles import Tiling, tail_ranges
from hermes.store.failures import corrupt
from hermes.store.statement import Row

_PAGE = 1 << 14
_STATE = "SELECT size, hashes FROM log_state WHERE id = 1"
_ADVANCE = "UPDATE log_state SET size = ?, hashes = ? WHERE id = 1"
_FULL = "INSERT INTO log_tiles (level, number, root, data) VALUES (?, ?, ?, ?)"
# As bytes: text that is no Unicode would end the query, and nobody could say which row it is.
_BLOCKS = "SELECT seq, CAST(cid AS BLOB) FROM blocks WHERE seq >= ? ORDER BY seq LIMIT ?"
_LEAVES = "SELECT CAST(cid AS BLOB) FROM blocks WHERE seq > ? AND seq <= ? ORDER BY seq"
_ROOTS = "SELECT root FROM log_tiles WHERE level = ? AND number >= ? AND number < ? ORDER BY number"


def leaf_of(name: bytes) -> bytes:
    """The leaf hash of a block, by its name as stored; raises ValueError on one that is none."""
    return leaf_hash(link(Cid(name.decode())))


def state(database: sqlite3.Connection) -> tuple[int, bytes]:
    """The log's size and frontier, as stored; raises ValueError when there is none."""
    match database.execute(_STATE).fetchone():
        case (int(size), bytes(hashes)) if size >= 0:
            return size, hashes
        case _:
            raise ValueError("the log's state is missing or malformed")


def tail(database: sqlite3.Connection, level: int, entries: range) -> list[bytes]:
    """A level's hashes that are in no full tile, made again from what lies below."""
    if level == 0:
        return [leaf_of(name) for (name,) in database.execute(_LEAVES, _ends(entries))]
    found = database.execute(_ROOTS, (level - 1, *_ends(entries)))
    return [checked(root) for (root,) in found]


def checked(found: object, size: int = HASH_SIZE) -> bytes:
    """A hash, or a row of them, as it was read; raises ValueError when it cannot be that."""
    if not isinstance(found, bytes) or len(found) != size:
        raise ValueError("a hash of the log has another size")
    return found


class Ledger:
    """Keeps the log in step with `blocks`, for the one connection that writes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tree = Tiling()
        self._hashes = b""
        self._last = b""

    def opened(self, database: sqlite3.Connection) -> None:
        """Log what was stored before there was a log, in pages: a killed one goes on later.

        What is damaged is left alone here, so that it can be looked at: writing refuses it.
        """
        while True:
            database.execute("BEGIN IMMEDIATE")
            try:
                added = self._advance(database, _PAGE)
                database.execute("COMMIT" if added else "ROLLBACK")
            except ValueError:
                database.rollback()
                return
            except BaseException:
                if database.in_transaction:
                    database.rollback()
                raise
            if added < _PAGE:
                return
            database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def closing(self, database: sqlite3.Connection) -> None:
        """Append the transaction's blocks, before it commits; raises StoreCorrupt."""
        try:
            self._advance(database, -1)
        except ValueError as error:
            raise corrupt(self._path, f"{error}; see `hermes log verify`") from error

    def _advance(self, database: sqlite3.Connection, most: int) -> int:
        size, hashes = state(database)
        if (size, hashes) != (self._tree.size, self._hashes):
            self._load(database, size, hashes)
        rows = database.execute(_BLOCKS, (size, most + 1 if most >= 0 else -1)).fetchall()
        if size:
            if not rows or rows[0] != (size, self._last):
                raise ValueError(f"the log has {size} leaves, and block {size} is another now")
            del rows[0]
        if rows:
            self._append(database, rows)
        return len(rows)

    def _append(self, database: sqlite3.Connection, rows: Sequence[Row]) -> None:
        first, last = self._tree.size + 1, self._tree.size + len(rows)
        if rows[0][0] != first or rows[-1][0] != last:  # no two have one seq
            raise ValueError(f"a block between {first} and {rows[-1][0]} is missing")
        full = self._tree.extend([leaf_of(name) for _, name in rows])
        self._last, self._hashes = rows[-1][1], self._tree.hashes
        database.executemany(_FULL, full)
        database.execute(_ADVANCE, (self._tree.size, self._hashes))

    def _load(self, database: sqlite3.Connection, size: int, hashes: bytes) -> None:
        tails = [tail(database, level, at) for level, at in enumerate(tail_ranges(size))]
        tree = Tiling(size, tails)
        if tree.hashes != hashes:
            raise ValueError(f"the last blocks are not the ones that the log of {size} leaves has")
        row = database.execute(_LEAVES, (size - 1, size)).fetchone()
        self._tree, self._hashes, self._last = tree, hashes, row[0] if row else b""


def _ends(entries: range) -> tuple[int, int]:
    return entries.start, entries.stop
