"""The log judged: its tree made again from the blocks' names and compared with what is stored.

Where tile and block differ, the tile's own root says which of the two was changed. Whoever
changes everything consistently is found by a checkpoint that he cannot sign, and only by it.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hermes.core.canonical import link
from hermes.core.checkpoint import Checkpoint, checkpoint_in
from hermes.core.ids import Cid
from hermes.core.merkle import HASH_SIZE, leaf_hash, root_of
from hermes.core.tiles import HEIGHT, WIDTH, Tile, Tiling, split
from hermes.store.ledger import state

_TILE = "SELECT root, data FROM log_tiles WHERE level = ? AND number = ?"
_TILES = "SELECT level, number FROM log_tiles"
_NOTES = "SELECT seq, size, note FROM checkpoints ORDER BY seq"


class _Mark(NamedTuple):
    """A root that the log has to have had at a size."""

    size: int
    root: bytes
    name: str


class LogJudge:
    """One pass over the log; every method runs on a reader, inside one moment."""

    def __init__(self, database: sqlite3.Connection, against: Iterable[Checkpoint]) -> None:
        self.problems: list[str] = []
        marks = [_mark(one, "the checkpoint given") for one in against]
        marks += self._noted(database)
        self._marks = sorted(marks, reverse=True)  # the next one last
        self._tree = Tiling()
        self._waiting: list[bytes] = []  # leaves of a tile that is not full yet
        self._next = 1  # the block that is due
        self._lost = False  # a leaf is gone, and with it every root behind it
        self._tile: tuple[int, list[bytes] | None] = (-1, None)  # the one last asked for a leaf

    @property
    def blocks(self) -> int:
        """How many places of the log were seen."""
        return self._next - 1

    def page(self, database: sqlite3.Connection, rows: Sequence[tuple[int, str]]) -> None:
        """Judge a page of blocks: seq and name, in order."""
        for seq, cid in rows:
            if seq < self._next:
                self.problems.append(f"block {seq} {cid}: it stands outside the log")
                continue
            if seq > self._next:
                self._gap(database, seq)
            self._take(database, _leaf(cid) or self._logged(database, seq - 1))

    def end(self, database: sqlite3.Connection) -> None:
        """Judge what is after the last block: the frontier, and what should not be there."""
        if not self._lost:
            self._extend(self._waiting)
        self.problems += [
            f"{mark.name}: it is of {mark.size} leaves, and {self.blocks} are here"
            for mark in reversed(self._marks)
            if mark.size > self.blocks
        ]
        try:
            size, hashes = state(database)
        except ValueError as error:
            self.problems.append(str(error))
            return
        self._judge_frontier(size, hashes)
        self._strays(database, size)

    def _take(self, database: sqlite3.Connection, leaf: bytes | None) -> None:
        self._next += 1
        if leaf is None and not self._lost:
            self._lost = True
            self.problems.append(f"the log cannot be followed beyond leaf {self._next - 2}")
        if self._lost or leaf is None:
            return
        self._waiting.append(leaf)
        if len(self._waiting) == WIDTH:
            number = self._tree.size // WIDTH
            for tile in self._extend(self._agreed(database, number, self._waiting)):
                self._judge_tile(database, tile)
            self._waiting = []

    def _extend(self, leaves: Sequence[bytes]) -> list[Tile]:
        """Append, looking at the root wherever there is a mark."""
        full: list[Tile] = []
        done = 0
        while self._marks and self._marks[-1].size <= self._tree.size + len(leaves) - done:
            mark = self._marks.pop()
            upto = done + mark.size - self._tree.size
            full += self._tree.extend(leaves[done:upto])
            done = upto
            if self._tree.frontier.root != mark.root:
                self.problems.append(f"{mark.name}: the log has another root at {mark.size}")
        return full + self._tree.extend(leaves[done:])

    def _gap(self, database: sqlite3.Connection, seq: int) -> None:
        last = seq - 1
        which = f"block {last} is" if last == self._next else f"blocks {self._next} to {last} are"
        self.problems.append(f"{which} missing")
        while self._next < seq and not self._lost:
            self._take(database, self._logged(database, self._next - 1))
        self._next = seq

    def _logged(self, database: sqlite3.Connection, index: int) -> bytes | None:
        """A leaf as a full tile remembers it."""
        number, place = divmod(index, WIDTH)
        if self._tile[0] != number:
            self._tile = number, _sound(database.execute(_TILE, (0, number)).fetchone())
        hashes = self._tile[1]
        return hashes[place] if hashes else None

    def _agreed(
        self, database: sqlite3.Connection, number: int, leaves: list[bytes]
    ) -> list[bytes]:
        """The leaves to go on with: those of the tile where it is sound and blocks are not."""
        row = database.execute(_TILE, (0, number)).fetchone()
        if row is None or row[1] == b"".join(leaves) or not (logged := _sound(row)):
            return leaves
        for seq, (leaf, told) in enumerate(zip(leaves, logged, strict=True), number * WIDTH + 1):
            if leaf != told:
                self.problems.append(f"block {seq}: it is not the one that was logged there")
        return logged

    def _judge_tile(self, database: sqlite3.Connection, tile: Tile) -> None:
        name = f"log tile {tile.level}/{tile.number}"
        row = database.execute(_TILE, (tile.level, tile.number)).fetchone()
        if row is None:
            size, _ = _state(database)
            if (tile.number + 1) << HEIGHT * (tile.level + 1) <= size:
                self.problems.append(f"{name}: it is missing")
            return
        root, data = row
        if data != tile.data:
            self.problems.append(f"{name}: its hashes were changed{_where(data, tile.data)}")
        if root != tile.root:
            self.problems.append(f"{name}: its root was changed")

    def _judge_frontier(self, size: int, hashes: bytes) -> None:
        if size > self.blocks:
            self.problems.append(f"the log has {size} leaves, and only {self.blocks} blocks")
        elif size < self.blocks:
            self.problems.append(f"blocks {size + 1} to {self.blocks} are not in the log")
        elif not self._lost and hashes != self._tree.hashes:
            self.problems.append(
                f"the log's frontier was changed{_where(hashes, self._tree.hashes)}"
            )

    def _strays(self, database: sqlite3.Connection, size: int) -> None:
        for level, number in database.execute(_TILES):
            if not _due(level, number, size):
                self.problems.append(f"log tile {level}/{number}: there can be no such tile")

    def _noted(self, database: sqlite3.Connection) -> Iterable[_Mark]:
        for seq, size, text in database.execute(_NOTES):
            try:
                found = checkpoint_in(text)
            except (ValueError, TypeError, AttributeError) as error:
                self.problems.append(f"checkpoint {seq}: {error}")
                continue
            if found.size != size:
                self.problems.append(f"checkpoint {seq}: its size differs from its note")
            yield _mark(found, f"checkpoint {seq}")


def _mark(checkpoint: Checkpoint, name: str) -> _Mark:
    return _Mark(checkpoint.size, checkpoint.root, name)


def _state(database: sqlite3.Connection) -> tuple[int, bytes]:
    try:
        return state(database)
    except ValueError:
        return 0, b""


def _leaf(cid: str) -> bytes | None:
    try:
        return leaf_hash(link(Cid(cid)))
    except (ValueError, TypeError):
        return None  # the block itself is judged, and named, elsewhere


def _sound(row: tuple[object, object] | None) -> list[bytes] | None:
    """A full tile's hashes, if they are what its root says."""
    match row:
        case (bytes(root), bytes(data)) if len(data) == WIDTH * HASH_SIZE:
            hashes = split(data)
            return hashes if root_of(hashes) == root else None
        case _:
            return None


def _due(level: object, number: object, size: int) -> bool:
    match level, number:
        case (int(at), int(of)) if at >= 0 and of >= 0:
            return at <= size.bit_length() and (of + 1) << HEIGHT * (at + 1) <= size
        case _:
            return False


def _where(found: object, right: bytes) -> str:
    """Which of the hashes in a row are others."""
    if not isinstance(found, bytes) or len(found) != len(right):
        return ": their number is another"
    pairs = enumerate(zip(split(found), split(right), strict=True))
    wrong = [str(place) for place, (one, other) in pairs if one != other]
    return f" at {', '.join(wrong[:8])}{', …' * (len(wrong) > 8)}"  # noqa: PLR2004 - enough
