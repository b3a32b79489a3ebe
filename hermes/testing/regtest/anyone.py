"""Coins that anybody can spend, and transactions that do: tests of chains then need no keys."""

import hashlib
from collections.abc import Mapping, Sequence

from bitcoin.core import (
    CMutableTransaction,
    CMutableTxIn,
    CMutableTxOut,
    COutPoint,
    CTxInWitness,
    CTxWitness,
)
from bitcoin.core.script import CScript, CScriptWitness

from hermes.chain.backend import Outpoint

_TRUE = b"\x51"
REPLACEABLE = 0xFFFFFFFD


def anyone(tag: int = 0) -> bytes:
    """A pay-to-witness-script-hash output that needs no signature; one script for each tag."""
    return b"\x00\x20" + hashlib.sha256(_program(tag)).digest()


def spend(
    coins: Mapping[Outpoint, int],
    outputs: Sequence[tuple[bytes, int]],
    sequence: int = REPLACEABLE,
    locktime: int = 0,
) -> bytes:
    """A transaction that spends coins of `anyone` (each with its tag) into scripts and values."""
    inputs = [
        CMutableTxIn(COutPoint(bytes.fromhex(one.txid)[::-1], one.index), nSequence=sequence)
        for one in coins
    ]
    outs = [CMutableTxOut(value, CScript(script)) for script, value in outputs]
    tx = CMutableTransaction(inputs, outs, nLockTime=locktime, nVersion=2)
    tx.wit = CTxWitness(
        [CTxInWitness(CScriptWitness([_program(tag)])) for tag in coins.values()],
    )
    return bytes(tx.serialize())


def _program(tag: int) -> bytes:
    return bytes(CScript([tag.to_bytes(4, "big")])) + b"\x75" + _TRUE  # push, DROP, TRUE
