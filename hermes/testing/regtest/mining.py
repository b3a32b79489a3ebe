"""Blocks out of transactions: coinbase, witness commitment, and the little work regtest asks."""

import itertools
import struct
from collections.abc import Sequence

import msgspec
from bitcoin.core.script import CScript
from bitcoin.core.serialize import VarIntSerializer

from hermes.testing.regtest.parsed import Tx, double_sha, merkle_levels

_BITS = 0x207FFFFF
_TARGET = (0x7FFFFF << 232).to_bytes(32)
_VERSION = 0x20000000
_HALVING = 150
_COIN = 100_000_000
_COMMITMENT = bytes.fromhex("6a24aa21a9ed")
_ZERO = bytes(32)


class Frame(msgspec.Struct, frozen=True):
    """Where a block goes, and who is paid; `salt` keeps two blocks of one second apart."""

    previous: bytes
    height: int
    time: int
    script: bytes
    salt: bytes


def subsidy(height: int) -> int:
    """What a block creates, in satoshi: regtest halves every 150 blocks."""
    return (50 * _COIN) >> (height // _HALVING)


def build(frame: Frame, txs: Sequence[Tx], fees: int) -> bytes:
    """A whole block with its proof of work."""
    bare, full = _coinbase(frame, txs, fees)
    root = merkle_levels([double_sha(bare), *(one.txid for one in txs)])[-1][0]
    start = struct.pack("<i", _VERSION) + frame.previous + root
    start += struct.pack("<II", frame.time, _BITS)
    header = next(
        tried
        for nonce in itertools.count()
        if double_sha(tried := start + struct.pack("<I", nonce))[::-1] <= _TARGET
    )
    body = b"".join(one.raw for one in txs)
    return header + _count(len(txs) + 1) + full + body


def _coinbase(frame: Frame, txs: Sequence[Tx], fees: int) -> tuple[bytes, bytes]:
    """The coinbase without and with its witness."""
    tag = bytes(CScript([frame.height, frame.salt]))
    root = merkle_levels([_ZERO, *(double_sha(one.raw) for one in txs)])[-1][0]
    outputs = [
        (subsidy(frame.height) + fees, frame.script),
        (0, _COMMITMENT + double_sha(root + _ZERO)),
    ]
    core = b"\x01" + _ZERO + b"\xff" * 4 + _count(len(tag)) + tag + b"\xff" * 4
    core += _count(len(outputs))
    for value, script in outputs:
        core += struct.pack("<q", value) + _count(len(script)) + script
    version, locktime = struct.pack("<i", 2), bytes(4)
    witness = b"\x01\x20" + _ZERO
    return version + core + locktime, version + b"\x00\x01" + core + witness + locktime


def _count(number: int) -> bytes:
    return bytes(VarIntSerializer.serialize(number))
