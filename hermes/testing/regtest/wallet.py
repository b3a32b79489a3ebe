"""The purse of a regtest chain: one key that the built-in miner pays, and payments out of it.

Its key is public knowledge: it is for test chains, whose coins are worth nothing.
"""

import hashlib

import coincurve
from bitcoin.core import (
    CMutableTransaction,
    CMutableTxIn,
    CMutableTxOut,
    COutPoint,
    CTxInWitness,
    CTxWitness,
)
from bitcoin.core.script import (
    OP_CHECKSIG,
    OP_DUP,
    OP_EQUALVERIFY,
    OP_HASH160,
    SIGHASH_ALL,
    SIGVERSION_WITNESS_V0,
    CScript,
    CScriptWitness,
    SignatureHash,
)

from hermes.testing.regtest.index import Held
from hermes.testing.regtest.node import Node
from hermes.testing.regtest.policy import dust_of

_KEY = coincurve.PrivateKey(hashlib.sha256(b"hermes regtest purse").digest())
_PUBLIC = _KEY.public_key.format()
_HASH = hashlib.new("ripemd160", hashlib.sha256(_PUBLIC).digest()).digest()
SCRIPT = b"\x00\x14" + _HASH
"""Where the miner's reward goes unless somebody says otherwise."""
MATURITY = 100
_RATE = 2
_BASE, _INPUT, _OUTPUT = 11, 69, 43


class NotEnough(Exception):
    """The purse holds fewer mature coins than were asked for."""


def pay(node: Node, script: bytes, value: int) -> bytes:
    """A signed transaction whose output 0 pays `value` satoshi to a script; raises NotEnough."""
    coins = _mature(node)
    chosen: list[tuple[tuple[bytes, int], Held]] = []
    total, fee = 0, _RATE * (_BASE + 2 * _OUTPUT)
    while total < value + fee:
        if not coins:
            raise NotEnough(f"the purse has {total} mature satoshi, {value} + {fee} are needed")
        chosen.append(coins.pop())
        total += chosen[-1][1].output.value
        fee += _RATE * _INPUT
    outputs = [CMutableTxOut(value, CScript(script))]
    if (change := total - value - fee) >= dust_of(SCRIPT):
        outputs.append(CMutableTxOut(change, CScript(SCRIPT)))
    inputs = [CMutableTxIn(COutPoint(*outpoint), nSequence=0xFFFFFFFD) for outpoint, _ in chosen]
    tx = CMutableTransaction(inputs, outputs, nVersion=2)
    tx.wit = CTxWitness([_witness(tx, n, held.output.value) for n, (_, held) in enumerate(chosen)])
    return bytes(tx.serialize())


def mature(node: Node) -> int:
    """What the purse could pay now, in satoshi."""
    return sum(held.output.value for _, held in _mature(node))


def _mature(node: Node) -> list[tuple[tuple[bytes, int], Held]]:
    """Coins that can be spent and that no waiting transaction spends, the oldest last."""
    top = node.index.height + 1
    found = [
        (outpoint, held)
        for outpoint, held in node.index.paying(SCRIPT)
        if outpoint not in node.pool.spenders
        and (not held.coinbase or top - held.height >= MATURITY)
    ]
    return sorted(found, key=lambda pair: -pair[1].height)


def _witness(tx: CMutableTransaction, number: int, value: int) -> CTxInWitness:
    code = CScript([OP_DUP, OP_HASH160, _HASH, OP_EQUALVERIFY, OP_CHECKSIG])
    digest = SignatureHash(
        code, tx, number, SIGHASH_ALL, amount=value, sigversion=SIGVERSION_WITNESS_V0
    )
    signature = _KEY.sign(digest, hasher=None) + bytes((SIGHASH_ALL,))
    return CTxInWitness(CScriptWitness([signature, _PUBLIC]))
