"""A chain of headers: each follows the one before and shows the work that the rules ask for.

The bytes behind the head are the headers and nothing else. What a chain rests on is its first
header: block 0 and the work behind it, or a block that a person chose to believe. Most work wins.
"""

from collections import deque
from collections.abc import Iterator

from hermes.chain.backend import Network
from hermes.chain.networks import NETWORKS
from hermes.chain.work import (
    HEADER,
    LEAST_WORK,
    PERIOD,
    bits_due,
    bits_of,
    check_work,
    earliest,
    sha256d,
    shown,
    time_of,
    work_of,
)
from hermes.errors import ProofInvalid

_MAGIC = b"HRMH\x01"
HEAD = len(_MAGIC) + 1 + 4
_NETWORKS: tuple[Network, ...] = ("main", "testnet4", "signet", "regtest")
_MEDIAN = 11


class Headers:
    """Headers of one network from height `start` upwards, all checked, at least one."""

    def __init__(self, network: Network, start: int, first: bytes) -> None:
        """Begin with a header; raises ProofInvalid when a chain cannot begin with it."""
        if NETWORKS[network].retargets and start % PERIOD:
            raise ProofInvalid(
                f"headers of {network} begin at a multiple of {PERIOD}: {start} is none"
            )
        if len(first) != HEADER:
            raise ProofInvalid("the first header is not whole")
        self.network, self.start = network, start
        self.work = work_of(bits_of(first))
        self._last = check_work(first, network)
        self._times: deque[int] = deque([time_of(first)], _MEDIAN)
        if (start == 0) != (shown(self._last) == NETWORKS[network].genesis):
            raise ProofInvalid(f"the first header is not block {start} of {network}")
        self._raw = bytearray(first)

    @property
    def height(self) -> int:
        """The height of the last header."""
        return self.start + len(self._raw) // HEADER - 1

    @property
    def tip(self) -> str:
        """The hash of the last header."""
        return shown(self._last)

    def at(self, height: int) -> bytes:
        """One header; raises ProofInvalid when the chain does not reach it."""
        if not self.start <= height <= self.height:
            raise ProofInvalid(f"there is no header of height {height} here")
        place = (height - self.start) * HEADER
        return bytes(self._raw[place : place + HEADER])

    def hash_at(self, height: int) -> str:
        """The hash of a header."""
        return shown(sha256d(self.at(height)))

    def height_of(self, header: bytes) -> int | None:
        """Where a header lies; None when it is none of the chain."""
        place = self._raw.find(header)
        while place >= 0 and (place % HEADER or len(header) != HEADER):
            place = self._raw.find(header, place + 1)
        return None if place < 0 else self.start + place // HEADER

    def check_enough(self) -> None:
        """Raise ProofInvalid when the chain begins at block 0 and is too little work to be real."""
        if self.start == 0 and self.work < LEAST_WORK.get(self.network, 0):
            raise ProofInvalid(
                f"these headers of {self.network} show less work than its chain had long ago:"
                " somebody made them, or they are not all there yet",
                "take all of them, from another server: hermes anchor headers",
            )

    def append(self, headers: bytes) -> None:
        """Add headers at the end: all of them, or none and ProofInvalid."""
        if len(headers) % HEADER:
            raise ProofInvalid("the last header is torn")
        size, work = len(self._raw), self.work
        try:
            for header in _each(headers):
                self._add(header)
        except ProofInvalid:
            self._reset(size, b"", work)
            raise

    def adopt(self, height: int, headers: bytes) -> bool:
        """Take headers that begin at `height`: appended, or instead of ours if theirs is more work.

        Whether they were taken; raises ProofInvalid when they do not hold, and keeps ours.
        """
        if height == self.height + 1:
            self.append(headers)
            return bool(headers)
        if not self.start < height <= self.height:
            raise ProofInvalid(f"headers from {height} do not meet those from {self.start}")
        ours, work = self.tail(height), self.work
        kept = (height - self.start) * HEADER
        self._reset(kept, b"", work - sum(work_of(bits_of(one)) for one in _each(ours)))
        try:
            self.append(headers)
        except ProofInvalid:
            self._reset(kept, ours, work)
            raise
        if self.work <= work:
            self._reset(kept, ours, work)
            return False
        return True

    def file(self) -> bytes:
        """The chain as a file holds it."""
        return head(self.network, self.start) + self._raw

    def tail(self, height: int) -> bytes:
        """The headers from a height upwards."""
        return bytes(self._raw[max(0, height - self.start) * HEADER :])

    def _reset(self, size: int, tail: bytes, work: int) -> None:
        del self._raw[size:]
        self._raw += tail
        self.work = work
        self._last = sha256d(bytes(self._raw[-HEADER:]))
        self._times = deque(map(time_of, _each(self._raw[-_MEDIAN * HEADER :])), _MEDIAN)

    def _add(self, header: bytes) -> None:
        height = self.height + 1
        if header[4:36] != self._last:
            raise ProofInvalid(f"header {height} does not follow the one before it")
        digest = check_work(header, self.network)
        time, bits = time_of(header), bits_of(header)
        if bits != bits_due(self.network, height, time, self.start, self._look):
            raise ProofInvalid(f"header {height} has another difficulty than the rules ask for")
        if time < self._earliest(height):
            raise ProofInvalid(f"header {height} is earlier than those before it allow")
        self._raw += header
        self._last = digest
        self._times.append(time)
        self.work += work_of(bits)

    def _earliest(self, height: int) -> int:
        if self.start and len(self._times) < _MEDIAN:
            return 0  # what came before the first header is not known
        median = sorted(self._times)[len(self._times) // 2]
        return earliest(self.network, height, median, self._times[-1])

    def _look(self, height: int) -> tuple[int, int]:
        place = (height - self.start) * HEADER
        return (
            int.from_bytes(self._raw[place + 68 : place + 72], "little"),
            int.from_bytes(self._raw[place + 72 : place + 76], "little"),
        )


def head(network: Network, start: int) -> bytes:
    """The first bytes of a file of headers."""
    return _MAGIC + bytes((_NETWORKS.index(network),)) + start.to_bytes(4, "big")


def headers_of(data: bytes) -> tuple[Headers, int]:
    """Read a file of headers, and how many bytes of a torn last header were left out.

    Raises ProofInvalid when it is none or does not hold.
    """
    if len(data) < HEAD + HEADER or data[: len(_MAGIC)] != _MAGIC:
        raise ProofInvalid("this is no file of headers", "make one with: hermes anchor headers")
    if data[len(_MAGIC)] >= len(_NETWORKS):
        raise ProofInvalid("these headers are of an unknown network")
    torn = (len(data) - HEAD) % HEADER
    network, start = _NETWORKS[data[len(_MAGIC)]], int.from_bytes(data[HEAD - 4 : HEAD], "big")
    found = Headers(network, start, data[HEAD : HEAD + HEADER])
    found.append(data[HEAD + HEADER : len(data) - torn])
    return found, torn


def _each(raw: bytes | bytearray) -> Iterator[bytes]:
    return (bytes(raw[i : i + HEADER]) for i in range(0, len(raw), HEADER))
