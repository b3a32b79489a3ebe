"""A frozen map in shards: one more entry copies a shard, not the whole.

Plain dicts are copied where they stay small. Order of iteration depends on the keys alone, so
that a simulation runs the same way twice. HAMTs (rpds-py) were measured: no faster at 1,000.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar
from zlib import crc32

_V = TypeVar("_V")
_COUNT = 64
_NONE: tuple[dict[str, object], ...] = tuple({} for _ in range(_COUNT))


class Shards(Generic[_V]):
    """Text to value; `put` and `drop` give a new map and leave this one as it is."""

    __slots__ = ("_count", "_shards")

    def __init__(self, shards: tuple[dict[str, _V], ...] | None = None, count: int = 0) -> None:
        self._shards: tuple[dict[str, _V], ...] = shards or _NONE  # type: ignore[assignment] # empty
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: str) -> bool:
        return key in self._shards[crc32(key.encode()) % _COUNT]

    def get(self, key: str) -> _V | None:
        """Look up; None where there is nothing."""
        return self._shards[crc32(key.encode()) % _COUNT].get(key)

    def put(self, key: str, value: _V) -> "Shards[_V]":
        """Add or replace."""
        place = crc32(key.encode()) % _COUNT
        shard = self._shards[place].copy()
        shard[key] = value
        return self._with(place, shard)

    def drop(self, key: str) -> "Shards[_V]":
        """Leave one out, if it is there."""
        place = crc32(key.encode()) % _COUNT
        if key not in self._shards[place]:
            return self
        shard = self._shards[place].copy()
        del shard[key]
        return self._with(place, shard)

    def items(self) -> Iterator[tuple[str, _V]]:
        """Every key with its value."""
        for shard in self._shards:
            yield from shard.items()

    def _with(self, place: int, shard: dict[str, _V]) -> "Shards[_V]":
        count = self._count + len(shard) - len(self._shards[place])
        return Shards((*self._shards[:place], shard, *self._shards[place + 1 :]), count)
