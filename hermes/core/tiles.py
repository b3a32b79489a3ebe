"""A Merkle tree cut into tiles of 256 hashes, as C2SP `tlog-tiles` cuts it (height 8).

Level 0 holds leaf hashes, each level above holds the roots of the full tiles below it. Only
full tiles are handed out; what is unfinished can be made again from what it is made of.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hermes.core.merkle import HASH_SIZE, Frontier

HEIGHT = 8
WIDTH = 1 << HEIGHT


class Tile(NamedTuple):
    """A full tile: 256 hashes in a row, and their root."""

    level: int
    number: int
    root: bytes
    data: bytes


class _Open:
    """A level's unfinished tile."""

    __slots__ = ("frontier", "hashes", "number")

    def __init__(self, number: int, hashes: Iterable[bytes] = ()) -> None:
        self.number = number
        self.hashes = list(hashes)
        self.frontier = Frontier()
        for one in self.hashes:
            self.frontier.append(one)


class Tiling:
    """A tree that grows; `tails`: the unfinished tile's hashes of each level, from level 0.

    Raises ValueError where the tails are not those of a tree of `size` leaves.
    """

    def __init__(self, size: int = 0, tails: Sequence[Sequence[bytes]] = ()) -> None:
        counts = [count % WIDTH for count in _counts(size)]
        if [len(tail) for tail in tails] != counts:
            raise ValueError(f"these are not the unfinished tiles of a tree of {size} leaves")
        self.size = size
        self._levels = [
            _Open(count // WIDTH, tail) for count, tail in zip(_counts(size), tails, strict=True)
        ]

    @property
    def hashes(self) -> bytes:
        """The frontier's hashes in a row, the largest subtree first."""
        return b"".join(one for level in reversed(self._levels) for one in level.frontier.hashes)

    @property
    def frontier(self) -> Frontier:
        """What stands for all leaves so far."""
        return frontier_of(self.size, self.hashes)

    def extend(self, leaves: Iterable[bytes]) -> list[Tile]:
        """Append leaves by their hashes; returns the tiles that became full."""
        full: list[Tile] = []
        for leaf in leaves:
            self._put(0, leaf, full)
            self.size += 1
        return full

    def _put(self, level: int, one: bytes, full: list[Tile]) -> None:
        if level == len(self._levels):
            self._levels.append(_Open(0))
        at = self._levels[level]
        at.hashes.append(one)
        at.frontier.append(one)
        if len(at.hashes) == WIDTH:
            tile = Tile(level, at.number, at.frontier.root, b"".join(at.hashes))
            full.append(tile)
            self._levels[level] = _Open(at.number + 1)
            self._put(level + 1, tile.root, full)


def frontier_of(size: int, hashes: bytes) -> Frontier:
    """A frontier from its hashes in a row; raises ValueError where they do not fit."""
    return Frontier(size, split(hashes))


def split(data: bytes) -> list[bytes]:
    """Hashes that stand in a row."""
    return [data[place : place + HASH_SIZE] for place in range(0, len(data), HASH_SIZE)]


def tail_ranges(size: int) -> list[range]:
    """For each level, which of its hashes are in no full tile yet."""
    return [range(count // WIDTH * WIDTH, count) for count in _counts(size)]


def _counts(size: int) -> list[int]:
    """How many hashes each level has."""
    return [size >> HEIGHT * level for level in range((size.bit_length() - 1) // HEIGHT + 1)]
