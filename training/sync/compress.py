"""What a worker changed in a round as bytes, and the way back; never pickle.

A message tells its version, scheme, round and base (the digest of the weights it started from),
and ends in a checksum. The checksum finds damage, not lies: `aggregate` looks at the values.
"""

import hashlib
import struct
import zlib
from dataclasses import dataclass

import numpy as np

from hermes.errors import SyncRefused
from training.sync.quantise import BITS, BadScales, Bits, Values, quantise, quantised_size, restore

DIGEST = 16
_MAGIC = b"HSYN"
_VERSION = 1
_HEADER = struct.Struct("<4sBBBxIIQQ16s")  # bits, deflated, round, steps, size, kept, base
_PAYS = 0.97  # deflate only what gets at least this much smaller


@dataclass(frozen=True)
class Scheme:
    """How a message is made: bits a value, and which share of the values is sent at all."""

    bits: Bits = 2
    keep: float = 1.0

    def __post_init__(self) -> None:
        if self.bits not in BITS or not 0 < self.keep <= 1:
            raise ValueError(f"bits are one of {BITS} and keep is in (0, 1]: {self}")


@dataclass(frozen=True)
class Contribution:
    """What a message says: `values` is start minus end of a worker's weights, as sent."""

    round: int
    steps: int
    base: bytes
    values: Values


def largest(size: int) -> int:
    """The most bytes that a message about `size` weights can have."""
    return _HEADER.size + max(quantised_size(size, bits) for bits in BITS) + -(-size // 8) + DIGEST


class Compressor:
    """One worker's sender: what a message leaves out goes into the next (error feedback)."""

    def __init__(self, scheme: Scheme, size: int) -> None:
        self.scheme = scheme
        self._left_out: Values = np.zeros(size, np.float32)
        self._before = self._left_out

    def pack(self, delta: Values, number: int, steps: int, base: bytes) -> bytes:
        """The message for a round."""
        if not np.all(np.isfinite(delta)):
            raise SyncRefused("this worker's training diverged: its weights are no numbers")
        wanted = delta + self._left_out
        message = pack(wanted, self.scheme, Contribution(number, steps, base, delta))
        sent = unpack(message, len(delta)).values
        self._before, self._left_out = self._left_out, wanted - sent
        return message

    def lost(self) -> None:
        """Take back the last message, because its round went on without it."""
        self._left_out = self._before


def pack(values: Values, scheme: Scheme, about: Contribution) -> bytes:
    """One message; round, steps and base come from `about`."""
    size, chosen, body = len(values), values, b""
    kept = max(1, int(size * scheme.keep))
    if kept < size:
        order = np.argpartition(np.abs(values), size - kept)[size - kept :]
        mask = np.zeros(size, np.bool_)
        mask[order] = True
        body, chosen = np.packbits(mask).tobytes(), values[mask]
    body += quantise(chosen, scheme.bits)
    smaller = zlib.compress(body, 6)
    deflated = len(smaller) < _PAYS * len(body)
    header = _HEADER.pack(
        _MAGIC,
        _VERSION,
        scheme.bits,
        deflated,
        about.round,
        about.steps,
        size,
        kept,
        about.base,
    )
    return _sealed(header + (smaller if deflated else body))


def unpack(message: bytes, size: int) -> Contribution:
    """Read a message about `size` weights; SyncRefused for anything else."""
    if len(message) < _HEADER.size + DIGEST:
        raise SyncRefused("it is too short to be a contribution")
    magic, version, bits, deflated, number, steps, told, kept, base = _HEADER.unpack_from(message)
    if magic != _MAGIC or version != _VERSION:
        raise SyncRefused(f"it is no contribution of version {_VERSION}")
    if len(message) > largest(size) or _sealed(message[:-DIGEST]) != message:
        raise SyncRefused("it is damaged: its checksum or its length is off")
    if bits not in BITS or told != size or not 0 < kept <= size:
        raise SyncRefused(f"it is about {told} weights in {bits} bits, not about {size}")
    marks = -(-size // 8) if kept < size else 0
    body = message[_HEADER.size : -DIGEST]
    body = _inflated(body, marks + quantised_size(kept, bits), deflated=bool(deflated))
    try:
        values = restore(body[marks:], kept, bits)
    except BadScales as error:
        raise SyncRefused(str(error)) from error
    return Contribution(number, steps, base, _spread(values, body[:marks], size))


def _spread(values: Values, marks: bytes, size: int) -> Values:
    if not marks:
        return values
    mask = np.unpackbits(np.frombuffer(marks, np.uint8), count=size).astype(np.bool_)
    if int(mask.sum()) != len(values):
        raise SyncRefused("it marks more or fewer weights than it has values for")
    whole = np.zeros(size, np.float32)
    whole[mask] = values
    return whole


def _inflated(body: bytes, size: int, *, deflated: bool) -> bytes:
    if deflated:
        inflater = zlib.decompressobj()
        try:
            body = inflater.decompress(body, size + 1)
        except zlib.error as error:
            raise SyncRefused(f"it does not inflate: {error}") from error
    if len(body) != size:
        raise SyncRefused(f"it holds {len(body)} bytes of values or more, not {size}")
    return body


def _sealed(data: bytes) -> bytes:
    return data + hashlib.blake2b(data, digest_size=DIGEST).digest()
