"""Transactions and blocks as values: what the kernel's bytes say, read by python-bitcoinlib.

Hashes inside this package are 32 bytes in the chain's own order; people's order is at the edges.
"""

import hashlib

import msgspec
from bitcoin.core import CBlock, CTransaction
from bitcoin.core.serialize import SerializationError

_HEADER = 80


class Spend(msgspec.Struct, frozen=True):
    """One input: which output it spends, and its sequence number."""

    outpoint: tuple[bytes, int]
    sequence: int


class Output(msgspec.Struct, frozen=True):
    """One output; value in satoshi."""

    value: int
    script: bytes


class Tx(msgspec.Struct, frozen=True):
    """A transaction; `vsize` in virtual bytes, `size` and `stripped` (no witness) in bytes."""

    raw: bytes
    txid: bytes
    version: int
    locktime: int
    inputs: tuple[Spend, ...]
    outputs: tuple[Output, ...]
    stripped: int

    @property
    def vsize(self) -> int:
        """Virtual bytes (BIP 141)."""
        return (3 * self.stripped + len(self.raw) + 3) // 4

    @property
    def weight(self) -> int:
        """Weight units (BIP 141)."""
        return 3 * self.stripped + len(self.raw)


def double_sha(data: bytes) -> bytes:
    """SHA-256 twice, as Bitcoin hashes."""
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def shown(digest: bytes) -> str:
    """A hash as people write it: reversed, in hex."""
    return digest[::-1].hex()


def read_tx(raw: bytes) -> Tx:
    """Read a transaction; raises ValueError on anything else."""
    try:
        return _tx(CTransaction.deserialize(raw))
    except (SerializationError, ValueError, MemoryError) as error:
        raise ValueError("not a transaction") from error


def read_block(raw: bytes) -> tuple[Tx, ...]:
    """The transactions of a block that the kernel took."""
    return tuple(_tx(one) for one in CBlock.deserialize(raw).vtx)


def header_of(block: bytes) -> bytes:
    """The first 80 bytes."""
    return block[:_HEADER]


def hash_of(block: bytes) -> bytes:
    """A block's hash."""
    return double_sha(block[:_HEADER])


def merkle_levels(leaves: list[bytes]) -> list[list[bytes]]:
    """Every level of a block's tree, leaves first; an odd level repeats its last hash."""
    levels = [leaves]
    while len(level := levels[-1]) > 1:
        even = [*level, level[-1]] if len(level) % 2 else level
        levels.append(
            [double_sha(even[i] + even[i + 1]) for i in range(0, len(even), 2)],
        )
    return levels


def _tx(read: CTransaction) -> Tx:
    raw = bytes(read.serialize())
    bare = raw
    if not read.wit.is_null():
        bare = bytes(
            CTransaction(read.vin, read.vout, read.nLockTime, read.nVersion).serialize(),
        )
    return Tx(
        raw=raw,
        txid=double_sha(bare),
        version=read.nVersion,
        locktime=read.nLockTime,
        inputs=tuple(
            Spend((bytes(one.prevout.hash), one.prevout.n), one.nSequence) for one in read.vin
        ),
        outputs=tuple(Output(one.nValue, bytes(one.scriptPubKey)) for one in read.vout),
        stripped=len(bare),
    )
