"""Reads a block's partial tree as Core gives it (`gettxoutproof`, BIP 37), for one transaction."""

from hermes.chain.work import HEADER, sha256d
from hermes.errors import ChainLied

_DIGEST = 32
_MOST = 1_000_000
_TRUNCATED = "a proof from the server ends early"


class _Reader:
    """Takes hashes and flags off a partial tree in the order of its walk."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self.leaves = int.from_bytes(self.take(4), "little")
        self._hashes = [self.take(_DIGEST) for _ in range(self._count())]
        flags = self.take(self._count())
        self._flags = [bool(byte >> bit & 1) for byte in flags for bit in range(8)]
        if self._at != len(data) or not 0 < self.leaves <= _MOST:
            raise ChainLied("a proof from the server has another form")

    def take(self, size: int) -> bytes:
        """The next bytes."""
        taken = self._data[self._at : self._at + size]
        if len(taken) != size:
            raise ChainLied(_TRUNCATED)
        self._at += size
        return taken

    def width(self, level: int) -> int:
        """How many nodes a level has."""
        return (self.leaves + (1 << level) - 1) >> level

    def hash(self) -> bytes:
        """The next hash."""
        if not self._hashes:
            raise ChainLied(_TRUNCATED)
        return self._hashes.pop(0)

    def flag(self) -> bool:
        """The next flag."""
        if not self._flags:
            raise ChainLied(_TRUNCATED)
        return self._flags.pop(0)

    def close(self) -> None:
        """Nothing but the last byte's padding may be left."""
        if self._hashes or len(self._flags) > 7 or any(self._flags):  # noqa: PLR2004 - a byte's bits
            raise ChainLied("a proof from the server has more than it needs")

    def _count(self) -> int:
        first = self.take(1)[0]
        if first < 0xFD:  # noqa: PLR2004 - Bitcoin's short counts
            return first
        if first == 0xFD:  # noqa: PLR2004 - two bytes follow
            return int.from_bytes(self.take(2), "little")
        raise ChainLied("a proof from the server is too large")


def read_proof(proof: bytes, txid: bytes) -> tuple[bytes, int, tuple[bytes, ...]]:
    """Header, position and branch of a transaction (id in inner order); raises ChainLied."""
    reader = _Reader(proof[HEADER:])
    height = 0
    while reader.width(height) > 1:
        height += 1
    root, found = _walk(reader, height, 0, txid)
    reader.close()
    if found is None or root != proof[36:68]:
        raise ChainLied("a proof from the server does not lead to its header")
    position, branch = found
    return proof[:HEADER], position, tuple(branch)


def _walk(
    reader: _Reader, level: int, position: int, txid: bytes
) -> tuple[bytes, tuple[int, list[bytes]] | None]:
    inside = reader.flag()
    if level == 0 or not inside:
        node = reader.hash()
        if inside and node != txid:
            raise ChainLied("a proof from the server is of another transaction")
        return node, (position, []) if inside else None
    left, under = _walk(reader, level - 1, 2 * position, txid)
    right, other = left, None
    if 2 * position + 1 < reader.width(level - 1):
        right, other = _walk(reader, level - 1, 2 * position + 1, txid)
        if right == left:
            raise ChainLied("a proof from the server doubles a transaction (CVE-2012-2459)")
    if under is not None:
        under[1].append(right)
    elif other is not None:
        other[1].append(left)
    return sha256d(left + right), under or other
