"""A proof bundle: all that shows one leaf of a log to have existed when a block was mined.

Values and their bytes, `HRMB` version 1. Each bundle has one encoding and no two bundles share
one: numbers are the shortest varints, lengths are exact, nothing may follow. Whatever can be
derived (the log's name, the key id, the network, the block's height) is not in it, so that
every bit is covered by a hash or a signature. What the parts prove is checked in `offline`.
"""

from collections.abc import Sequence

import msgspec

from hermes.errors import ProofInvalid

MAGIC = b"HRMB"
VERSION = 1
_DIGEST = 32
_CID = 36
_SIGNATURE = 64
_HEADER = 80
_EARLIER, _MESSAGE = 1, 2
_LONGEST = 8 << 20
_MOST_HASHES = 64
_MOST_TRANSACTIONS = 1_000
_VARINT = 9  # bytes: numbers below 2**63
_MORE = 0x80


class Anchored(msgspec.Struct, frozen=True):
    """A log's checkpoint without its name: how many leaves, and the root over them."""

    size: int
    root: bytes


class Bundle(msgspec.Struct, frozen=True):
    """The parts. Hashes are 32 bytes in the order in which they are hashed."""

    genesis: bytes
    """The block of the genesis record: names the network and all keys."""
    leaf: bytes
    """The binary CID of the leaf's block."""
    index: int
    inclusion: tuple[bytes, ...]
    checkpoint: Anchored
    signature: bytes
    """Ed25519 of the log's key over the checkpoint's text."""
    transaction: bytes
    """The anchor with its witness."""
    spent: tuple[bytes, ...]
    """Without their witnesses: the transaction that each input spends, in order."""
    lineage: tuple[bytes, ...]
    """Likewise: from the one before `spent[0]` back to the anchor of the checkpoint before."""
    header: bytes
    position: int
    branch: tuple[bytes, ...]
    earlier: Anchored | None = None
    """What the last anchor before this one committed to; None where that was the genesis."""
    consistency: tuple[bytes, ...] = ()
    message: bytes = b""
    """The leaf's own block, where its content may be shown."""

    def encode(self) -> bytes:
        """The bundle's bytes."""
        has = (_EARLIER if self.earlier else 0) | (_MESSAGE if self.message else 0)
        earlier = [_checkpoint(self.earlier), hashes(self.consistency)] if self.earlier else [b""]
        return b"".join(
            [
                MAGIC,
                bytes((VERSION, has)),
                sized(self.genesis),
                self.leaf,
                varint(self.index),
                hashes(self.inclusion),
                _checkpoint(self.checkpoint),
                self.signature,
                *earlier,
                sized(self.transaction),
                listed(self.spent),
                listed(self.lineage),
                self.header,
                varint(self.position),
                hashes(self.branch),
                sized(self.message) if self.message else b"",
            ]
        )


def bundle_of(data: bytes) -> Bundle:
    """Read a bundle; raises ProofInvalid on anything but its one encoding."""
    if data[: len(MAGIC)] != MAGIC:
        raise ProofInvalid("this is no proof bundle of Hermes")
    if len(data) > _LONGEST:
        raise ProofInvalid("a proof bundle of more than 8 MiB")
    read = Reader(data, len(MAGIC))
    version, has = read.take(2)
    if version != VERSION:
        raise ProofInvalid(f"proof bundle version {version} is unknown", "take a newer Hermes")
    if has & ~(_EARLIER | _MESSAGE):
        raise ProofInvalid("the bundle has parts that this version does not know")
    # The order of the keyword arguments is the order of the bytes.
    bundle = Bundle(
        genesis=read.sized(),
        leaf=read.take(_CID),
        index=read.number(),
        inclusion=read.hashes(),
        checkpoint=_read_checkpoint(read),
        signature=read.take(_SIGNATURE),
        earlier=_read_checkpoint(read) if has & _EARLIER else None,
        consistency=read.hashes() if has & _EARLIER else (),
        transaction=read.sized(),
        spent=read.list(),
        lineage=read.list(),
        header=read.take(_HEADER),
        position=read.number(),
        branch=read.hashes(),
        message=read.sized() if has & _MESSAGE else b"",
    )
    read.end()
    # Cheap, and leaves no encoding that only the reader would take.
    if bundle.encode() != data:
        raise ProofInvalid("the bundle is not in its one encoding")
    return bundle


class Reader:
    """Bytes from front to back; each method raises ProofInvalid when they run out.

    `what` they are: for the reasons.
    """

    def __init__(self, data: bytes, at: int = 0, what: str = "bundle") -> None:
        self._data, self._at, self._what = data, at, what

    def take(self, size: int) -> bytes:
        """So many bytes."""
        end = self._at + size
        if end > len(self._data):
            raise ProofInvalid(f"the {self._what} is cut short")
        found, self._at = self._data[self._at : end], end
        return found

    def number(self) -> int:
        """A varint: seven bits a byte, the lowest first, in as few bytes as can be."""
        value = 0
        for place in range(_VARINT):
            (byte,) = self.take(1)
            value |= (byte & ~_MORE) << 7 * place
            if byte < _MORE:
                if place and not byte:
                    raise ProofInvalid(f"a number in the {self._what} is longer than needed")
                return value
        raise ProofInvalid(f"a number in the {self._what} is too large")

    def sized(self) -> bytes:
        """A length and so many bytes."""
        return self.take(self.number())

    def hashes(self) -> tuple[bytes, ...]:
        """A count and so many hashes."""
        return tuple(self.take(_DIGEST) for _ in range(self.count(_MOST_HASHES)))

    def list(self, most: int = _MOST_TRANSACTIONS) -> tuple[bytes, ...]:
        """A count and so many sized parts."""
        return tuple(self.sized() for _ in range(self.count(most)))

    def end(self) -> None:
        """Nothing may follow."""
        if self._at != len(self._data):
            raise ProofInvalid(f"{len(self._data) - self._at} bytes follow the {self._what}")

    def count(self, most: int) -> int:
        """How many parts follow."""
        count = self.number()
        if count > most:
            raise ProofInvalid(f"{count} parts in the {self._what}: at most {most} can be")
        return count


def varint(number: int) -> bytes:
    """A number as `Reader.number` reads it; raises ValueError when it does not fit."""
    if not 0 <= number < 1 << 7 * _VARINT:
        raise ValueError(f"{number} is no varint")
    parts = bytearray()
    while number >= _MORE:
        parts.append(number & 0x7F | _MORE)
        number >>= 7
    return bytes((*parts, number))


def _read_checkpoint(read: Reader) -> Anchored:
    return Anchored(read.number(), read.take(_DIGEST))


def _checkpoint(checkpoint: Anchored) -> bytes:
    return varint(checkpoint.size) + checkpoint.root


def sized(part: bytes) -> bytes:
    """A part as `Reader.sized` reads it."""
    return varint(len(part)) + part


def hashes(parts: Sequence[bytes]) -> bytes:
    """Hashes as `Reader.hashes` reads them."""
    return varint(len(parts)) + b"".join(parts)


def listed(parts: Sequence[bytes]) -> bytes:
    """Parts as `Reader.list` reads them."""
    return varint(len(parts)) + b"".join(map(sized, parts))
