"""Which ids were surely never seen here: a Bloom filter, so that a new event costs no look-up.

An id is a SHA-256 already, so its own bytes are the hashes. Somebody who grinds ids to fill it
makes his own events slower, never wrong: what it does not rule out is looked up.
"""

from collections.abc import Iterable

_BITS = 1 << 25  # 4 MiB: at a million ids one look-up in 10,000 is in vain
_MASK = _BITS - 1
_PARTS = 5
_STRIDE = 6


class Sieve:
    """Ids of 32 bytes."""

    def __init__(self, ids: Iterable[bytes] = ()) -> None:
        self._bits = bytearray(_BITS >> 3)
        for id_ in ids:
            self.add(id_)

    def add(self, id_: bytes) -> None:
        """Remember an id."""
        for at in _places(id_):
            self._bits[at >> 3] |= 1 << (at & 7)

    def may_hold(self, id_: bytes) -> bool:
        """False: it was never added."""
        return all(self._bits[at >> 3] & 1 << (at & 7) for at in _places(id_))


def _places(id_: bytes) -> Iterable[int]:
    number = int.from_bytes(id_, "big")
    return [number >> shift & _MASK for shift in range(0, _PARTS * 8 * _STRIDE, 8 * _STRIDE)]
