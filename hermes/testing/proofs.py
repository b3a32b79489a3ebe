"""Proof bundles made from nothing: a log, an identity, signed anchors, a mined regtest header.

Everything in them is real but the coins, so that a test can spoil any part it likes without a
chain at hand.
"""

import hashlib
import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bitcoin.core import (
    CMutableTransaction,
    COutPoint,
    CTxIn,
    CTxInWitness,
    CTxOut,
    CTxWitness,
)
from bitcoin.core.script import (
    OP_CHECKSIG,
    OP_DUP,
    OP_EQUALVERIFY,
    OP_HASH160,
    OP_RETURN,
    SIGHASH_ALL,
    SIGVERSION_WITNESS_V0,
    CScript,
    CScriptWitness,
    SignatureHash,
)

from hermes.chain.backend import Network
from hermes.chain.bundle import Anchored, Bundle
from hermes.chain.headers import Headers
from hermes.chain.scripts import CoinScripts, scripts_of
from hermes.chain.spv import merkle_root
from hermes.chain.work import sha256d, target_of, time_of
from hermes.core.anchor import AnchorKind, Payload, commitment
from hermes.core.canonical import link
from hermes.core.checkpoint import Checkpoint
from hermes.core.ids import Cid
from hermes.core.merkle import Node, consistency, inclusion, leaf_hash, node_hash, root_at
from hermes.identity.genesis import found
from hermes.identity.keys import Keys

_LIMIT = 0x207FFFFF
_FIRST = bytes.fromhex(
    "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac7"
    "2c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4adae5494dffff7f2002000000"
)
_FIRST_TIME = 1_795_000_600
_VALUE = 50_000
_FEE = 200
_KEYHASH = 22
_FROM = bytes(range(32))
_Coin = tuple[bytes, int, int, bytes]
"""Id, index, value and script of an output."""


class Log(NamedTuple):
    """A tree whose every node is at hand."""

    size: int
    fetch: Callable[[Node], bytes]

    def checkpoint(self, size: int) -> Anchored:
        """The tree of its first leaves."""
        return Anchored(size, root_at(size, self.fetch))


class Made(NamedTuple):
    """A bundle, and headers that hold its block."""

    bundle: Bundle
    headers: Headers


def log_of(leaves: Sequence[Cid]) -> Log:
    """Build the tree over leaves."""
    rows = [[leaf_hash(link(cid)) for cid in leaves]]
    while len(rows[-1]) > 1:
        row = rows[-1]
        rows.append([node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)])
    return Log(len(leaves), lambda node: rows[node.level][node.number])


class Maker:
    """One identity that anchors made-up logs; `payer`: whose coin key signs, unless its own."""

    def __init__(
        self,
        secret: bytes = b"\x07" * 32,
        *,
        network: Network = "regtest",
        recovery: tuple[str, int] = ("", 0),
        payer: "Maker | None" = None,
    ) -> None:
        self.keys = Keys.from_secret(secret, network)
        self.genesis = found(self.keys, "5e" * 32, 1_795_000_000_000, recovery)
        self.scripts: CoinScripts = payer.scripts if payer else scripts_of(self.genesis)
        self._payer = payer.keys if payer else self.keys

    def bundle(  # noqa: PLR0913 - each is one thing a test varies
        self,
        log: Log,
        leaf: Cid,
        index: int,
        *,
        earlier: int = 0,
        batches: int = 0,
        deposits: int = 0,
        depth: int = 2,
        message: bytes = b"",
        handoff: bytes = b"",
    ) -> Made:
        """A bundle for one leaf; `earlier` 0: the anchor before was the genesis.

        `handoff`: the anchor is one, to the record of this digest.
        """
        checkpoint = log.checkpoint(log.size)
        before = log.checkpoint(earlier) if earlier else None
        digest = hashlib.sha256(self.genesis.record.block().data).digest()
        first = Payload(AnchorKind.GENESIS, digest)
        if before:
            first = Payload(AnchorKind.CHECKPOINT, commitment(self._checkpoint(before)))
        moves = [self.transaction(first, [(_FROM, 1, _VALUE, self.scripts.coin)])]
        for number in range(batches):
            batch = Payload(AnchorKind.BATCH, number.to_bytes(32, "big"))
            moves.append(self.transaction(batch, [_output(moves[-1], 1)]))
        paid = [self._deposit(number) for number in range(deposits)]
        inputs = [_output(moves[-1], 1), *(_output(one, 0) for one in paid)]
        kind = AnchorKind.HANDOFF if handoff else AnchorKind.CHECKPOINT
        payload = Payload(kind, commitment(self._checkpoint(checkpoint)) + handoff)
        anchor = self.transaction(payload, inputs)
        header, position, branch = mined(_id(anchor), depth)
        bundle = Bundle(
            genesis=self.genesis.record.block().data,
            leaf=link(leaf),
            index=index,
            inclusion=inclusion(index, log.size, log.fetch),
            checkpoint=checkpoint,
            signature=self.keys.sign_note(self._checkpoint(checkpoint).text).signature,
            transaction=anchor.serialize(),
            spent=(_plain(moves[-1]), *map(_plain, paid)),
            lineage=tuple(_plain(one) for one in reversed(moves[:-1])),
            header=header,
            position=position,
            branch=branch,
            earlier=before,
            consistency=consistency(earlier, log.size, log.fetch) if before else (),
            message=message,
        )
        return Made(bundle, headers_on(header))

    def transaction(self, payload: Payload, spends: Sequence[_Coin]) -> CMutableTransaction:
        """An anchor that spends coins of the coin key, signed by it."""
        inputs = [CTxIn(COutPoint(txid, index), nSequence=0xFFFFFFFD) for txid, index, *_ in spends]
        outputs = [
            CTxOut(0, CScript([OP_RETURN, payload.encode()])),
            CTxOut(
                sum(coin[2] for coin in spends) - _FEE * len(spends), CScript(self.scripts.coin)
            ),
        ]
        made = CMutableTransaction(inputs, outputs, nVersion=2)
        stacks = [self._witness(made, number, *coin[2:]) for number, coin in enumerate(spends)]
        made.wit = CTxWitness([CTxInWitness(CScriptWitness(stack)) for stack in stacks])
        return made

    def _witness(
        self, made: CMutableTransaction, number: int, value: int, script: bytes
    ) -> list[bytes]:
        keyhash = len(script) == _KEYHASH
        code = CScript([OP_DUP, OP_HASH160, script[2:], OP_EQUALVERIFY, OP_CHECKSIG])
        digest = SignatureHash(
            code if keyhash else CScript(self.scripts.witness),
            made,
            number,
            SIGHASH_ALL,
            amount=value,
            sigversion=SIGVERSION_WITNESS_V0,
        )
        signature = self._payer.sign_ecdsa(digest) + bytes((SIGHASH_ALL,))
        return [signature, *([self.scripts.public] if keyhash else [b"\x01", self.scripts.witness])]

    def _deposit(self, number: int) -> CMutableTransaction:
        source = CTxIn(COutPoint(number.to_bytes(32, "big"), 0))
        return CMutableTransaction(
            [source], [CTxOut(_VALUE, CScript(self.scripts.deposit))], nVersion=2
        )

    def _checkpoint(self, anchored: Anchored) -> Checkpoint:
        return Checkpoint(self.genesis.name, anchored.size, anchored.root)


def _id(transaction: CMutableTransaction) -> bytes:
    return bytes(transaction.GetTxid())


def _output(transaction: CMutableTransaction, index: int) -> _Coin:
    output = transaction.vout[index]
    return _id(transaction), index, int(output.nValue), bytes(output.scriptPubKey)


def _plain(transaction: CMutableTransaction) -> bytes:
    plain = CMutableTransaction(transaction.vin, transaction.vout, 0, transaction.nVersion)
    return bytes(plain.serialize())


def mined_chain(count: int) -> Headers:
    """So many regtest headers behind block 0, ten minutes apart."""
    headers = Headers("regtest", 0, _FIRST)
    header, time = _FIRST, time_of(_FIRST)
    for number in range(count):
        header = _header(header, number.to_bytes(32, "big"), time + 600 * (number + 1))
        headers.append(header)
    return headers


def mined(txid: bytes, depth: int) -> tuple[bytes, int, tuple[bytes, ...]]:
    """A header over a block of 2**depth transactions, ours the last but one."""
    branch = tuple(hashlib.sha256(b"%d" % level).digest() for level in range(depth))
    position = max(0, (1 << depth) - 2)
    root = merkle_root(txid, position, branch)
    return _header(_FIRST, root, _FIRST_TIME), position, branch


def _header(before: bytes, root: bytes, time: int) -> bytes:
    target = target_of(_LIMIT)
    for nonce in range(1000):
        header = struct.pack("<I32s32sIII", 1, sha256d(before), root, time, _LIMIT, nonce)
        if int.from_bytes(sha256d(header), "little") <= target:
            return header
    raise AssertionError("no header of a thousand meets the regtest limit")


def headers_on(header: bytes) -> Headers:
    """Headers of which it is the last."""
    headers = Headers("regtest", 0, _FIRST)
    headers.append(header)
    return headers
