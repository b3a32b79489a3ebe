"""The log's reading side: sizes, roots and proofs, from full tiles and what follows them.

A proof is made from what is stored; only its check against a signed checkpoint says that it
holds.
"""

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from hermes.core.ids import Cid
from hermes.core.merkle import (
    HASH_SIZE,
    Node,
    consistency,
    inclusion,
    range_nodes,
    root_at,
    root_of,
)
from hermes.core.tiles import HEIGHT, WIDTH, split, tail_ranges
from hermes.errors import Usage
from hermes.store.database import Database
from hermes.store.failures import corrupt
from hermes.store.ledger import checked, state, tail

T = TypeVar("T")

_TILE = "SELECT data FROM log_tiles WHERE level = ? AND number = ?"
_NAME = "SELECT cid FROM blocks WHERE seq = ?"
_PLACE = "SELECT seq FROM blocks WHERE cid = ?"


class MerkleLog:
    """The RFC 9162 tree over all blocks: leaf n is block n + 1, its data the name's 36 bytes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def size(self) -> int:
        """How many leaves there are."""
        return await self._asked(lambda tree: tree.size)

    async def root(self, size: int | None = None) -> bytes:
        """The root of the first `size` leaves (None: of all); raises Usage when there are fewer."""
        return await self._asked(lambda tree: tree.root(size))

    async def newest(self) -> tuple[int, bytes]:
        """Size and root of one moment."""
        return await self._asked(lambda tree: (tree.size, tree.root(None)))

    async def inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        """Prove that leaf `index` is in the tree of `size` leaves; raises Usage."""
        return await self._asked(lambda tree: tree.inclusion(index, size))

    async def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """Prove that the tree of `old` leaves is the start of that of `new`; raises Usage."""
        return await self._asked(lambda tree: tree.consistency(old, new))

    async def index_of(self, cid: Cid) -> int:
        """Which leaf a block is; raises Usage when it is not in this store."""
        rows = await self._database.read(_PLACE, (cid,))
        if not rows:
            raise Usage(f"no block {cid} in this store")
        return int(rows[0][0]) - 1

    async def leaf(self, index: int) -> Cid:
        """The name of the block that a leaf is; raises Usage when there is no such leaf."""
        rows = await self._database.read(_NAME, (index + 1,))
        if not rows:
            raise Usage(f"the log has no leaf {index}")
        return Cid(rows[0][0])

    async def _asked(self, question: Callable[["_Tree"], T]) -> T:
        return await self._database.look(partial(self._answer, question=question))

    def _answer(self, database: sqlite3.Connection, question: Callable[["_Tree"], T]) -> T:
        try:
            return question(_Tree(database))
        except ValueError as error:
            raise corrupt(self._database.path, f"{error}; see `hermes log verify`") from error


class _Tree:
    """The tree as one moment shows it; reads each tile once."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._tiles: dict[tuple[int, int], list[bytes]] = {}
        self.size, hashes = state(database)
        frontier = zip(range_nodes(0, self.size), split(hashes), strict=True)
        self._frontier = dict(frontier)

    def root(self, size: int | None) -> bytes:
        return root_at(self._within(self.size if size is None else size), self._hash)

    def inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        if not 0 <= index < self._within(size):
            raise Usage(f"a log of {size} leaves has no leaf {index}")
        return inclusion(index, size, self._hash)

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        if not 0 <= old <= self._within(new):
            raise Usage(f"a log of {new} leaves did not grow out of one of {old}")
        return consistency(old, new, self._hash)

    def _within(self, size: int) -> int:
        if not 0 <= size <= self.size:
            raise Usage(f"the log has {self.size} leaves, not {size}")
        return size

    def _hash(self, node: Node) -> bytes:
        if (known := self._frontier.get(node)) is not None:
            return known
        level, above = divmod(node.level, HEIGHT)
        number, place = divmod(node.number << above, WIDTH)
        hashes = self._tile(level, number)[place : place + (1 << above)]
        if len(hashes) != 1 << above:
            raise ValueError(f"tile {level}/{number} of the log is missing")
        return root_of(hashes)

    def _tile(self, level: int, number: int) -> list[bytes]:
        known = self._tiles.get((level, number))
        if known is None:
            known = self._tiles[level, number] = self._read(level, number)
        return known

    def _read(self, level: int, number: int) -> list[bytes]:
        row = self._database.execute(_TILE, (level, number)).fetchone()
        if row is not None:
            return split(checked(row[0], WIDTH * HASH_SIZE))
        ends = tail_ranges(self.size)[level]
        return tail(self._database, level, ends) if ends.start == number * WIDTH else []
