"""Near-duplicates: MinHash over shingles, one permutation, banded.

Own, because it is small and plain Python does one turn in well under a millisecond;
datasketch would bring numpy and hash every shingle 128 times. Keeps about 2 kB a text.
"""

import re
from array import array
from collections.abc import Iterable
from zlib import crc32

_SHINGLE = 4
_BINS = 96
_BANDS = 12
_ROWS = _BINS // _BANDS
_EMPTY = 0xFFFFFFFF
_WORD = re.compile(r"\w+|[^\w\s]")


class Near:
    """Remembers texts and tells whether a new one is nearly one of them.

    `limit`: the estimated Jaccard similarity of the shingles from which it is.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._signatures: list[array[int]] = []
        self._bands: dict[int, int] = {}

    def seen(self, text: str) -> bool:
        """Whether a text like this was seen; if not, it is remembered."""
        signature = _signature(text)
        keys = [
            hash((band, *signature[band * _ROWS : (band + 1) * _ROWS])) for band in range(_BANDS)
        ]
        candidates = {self._bands[key] for key in keys if key in self._bands}
        if any(_alike(signature, self._signatures[one]) >= self._limit for one in candidates):
            return True
        for key in keys:
            self._bands.setdefault(key, len(self._signatures))
        self._signatures.append(signature)
        return False


def _shingles(text: str) -> Iterable[int]:
    words = _WORD.findall(text.lower())
    if len(words) <= _SHINGLE:
        yield crc32(" ".join(words).encode())
    for start in range(len(words) - _SHINGLE):
        yield crc32(" ".join(words[start : start + _SHINGLE + 1]).encode())
    yield from (crc32(f"\0{word}".encode()) for word in words)


def _signature(text: str) -> "array[int]":
    """The least hash in each bin (Li, Owen, Zhang 2012); empty bins borrow to the right."""
    bins = array("I", [_EMPTY]) * _BINS
    for hashed in _shingles(text):
        mixed = hashed * 0x9E3779B1 & _EMPTY
        place = mixed % _BINS
        bins[place] = min(bins[place], mixed)
    full = [index for index in range(_BINS) if bins[index] != _EMPTY]
    for index in range(_BINS):
        if bins[index] == _EMPTY:
            nearest = min(full, key=lambda one, at=index: (one - at) % _BINS)  # type: ignore[misc]
            bins[index] = bins[nearest]
    return bins


def _alike(one: "array[int]", other: "array[int]") -> float:
    return sum(a == b for a, b in zip(one, other, strict=True)) / _BINS
