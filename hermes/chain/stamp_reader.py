"""What the OpenTimestamps library reads bytes through here: its own reader has no bounds.

A number may be of any size there and operations may be as many as the bytes allow, each
keeping a message of 4 kB.
"""

from opentimestamps.core.serialize import (
    BadMagicError,
    DeserializationError,
    TrailingGarbageError,
    TruncationError,
)

_MOST_TAGS = 4_096
"""Operations, forks and attestations; a proof by four public calendars has about 600."""
_NUMBER_BITS = 35
_REVERSE = b"\xf2"


class StampReader:
    """A deserialisation context of the library, by its own method names."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0
        self._tags = 0

    def read_bytes(self, size: int) -> bytes:
        """So many bytes."""
        found = self._raw[self._at : self._at + size]
        if len(found) != size:
            raise TruncationError("it ends too early")
        self._at += size
        if size == 1:  # the library reads single bytes as tags only
            self._count(found)
        return found

    def read_varuint(self) -> int:
        """A whole number, least significant bits first."""
        value = 0
        for shift in range(0, _NUMBER_BITS, 7):
            byte = self._raw[self._at : self._at + 1]
            if not byte:
                raise TruncationError("it ends too early")
            self._at += 1
            value |= (byte[0] & 0x7F) << shift
            if byte[0] < 0x80:  # noqa: PLR2004 - the bit that says: more follows
                return value
        raise DeserializationError("a number that is too large")

    def read_varbytes(self, max_len: int, min_len: int = 0) -> bytes:
        """Bytes behind their length."""
        size = self.read_varuint()
        if not min_len <= size <= max_len:
            raise DeserializationError(f"{size} bytes where {min_len} to {max_len} may stand")
        found = self._raw[self._at : self._at + size]
        if len(found) != size:
            raise TruncationError("it ends too early")
        self._at += size
        return found

    def assert_magic(self, expected_magic: bytes) -> None:
        """The first bytes of a file."""
        found = self._raw[self._at : self._at + len(expected_magic)]
        self._at += len(expected_magic)
        if found != expected_magic:
            raise BadMagicError(expected_magic, found)

    def assert_eof(self) -> None:
        """Nothing follows."""
        if self._at != len(self._raw):
            raise TrailingGarbageError("something follows its end")

    def _count(self, tag: bytes) -> None:
        self._tags += 1
        if self._tags > _MOST_TAGS:
            raise DeserializationError(f"more than {_MOST_TAGS} operations")
        if tag == _REVERSE:  # keeps 4 kB for one byte of the file; the library warns of its end
            raise DeserializationError("the operation reverse is not taken")
