"""Lineages made from nothing: identities, signed moves of a coin, a mined regtest header.

Everything in them is real but the first deposit, so that a test can spoil any part it likes
without a chain at hand.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from bitcoin.core import CMutableTransaction, COutPoint, CTxIn, CTxInWitness, CTxOut, CTxWitness
from bitcoin.core.script import OP_RETURN, CScript, CScriptWitness
from coincurve import PrivateKey

from hermes.chain.backend import Outpoint, Txid
from hermes.chain.headers import Headers
from hermes.chain.lineage_wire import Lineage, Link, Placed
from hermes.chain.payloads import genesis_payload, handoff_payload
from hermes.chain.scripts import CoinScripts, scripts_of
from hermes.chain.sighash import digest_of, keyhash_code
from hermes.chain.transaction import Transaction, transaction_of
from hermes.core.anchor import AnchorKind, Payload, commitment
from hermes.core.attestation import Attestation
from hermes.core.canonical import Value
from hermes.core.checkpoint import Checkpoint
from hermes.identity.attest import Genesis, make
from hermes.identity.genesis import found
from hermes.identity.keys import Keys
from hermes.identity.statements import ACCEPTED, HANDOFF, MEMBER, REVOKED
from hermes.testing.proofs import headers_on, mined

_FEE = 200
_START = 10_000_000
_AT = 1_795_000_000_000
_REPLACEABLE = 0xFFFFFFFD
_ALL = b"\x01"
RECOVERY = PrivateKey(hashlib.sha256(b"hermes recovery").digest())
"""The recovery key of every identity here: public knowledge."""
AFTER = 12


class Who(NamedTuple):
    """An identity of a test."""

    keys: Keys
    genesis: Genesis
    scripts: CoinScripts

    @property
    def block(self) -> bytes:
        """The record."""
        return self.genesis.record.block().data

    def says(self, kind: str, fields: dict[str, Value]) -> Attestation:
        """A statement by the key for it."""
        return make(self.keys, "owner" if kind in {MEMBER, REVOKED} else "attest", kind, fields)


class Coin(NamedTuple):
    """An output that a test can spend, by whose scripts."""

    outpoint: Outpoint
    value: int
    script: bytes
    who: Who


class Made(NamedTuple):
    """A lineage and headers that hold its last link."""

    lineage: Lineage
    headers: Headers


def who(name: str, *, parent: str = "", recovery: bool = False) -> Who:
    """An identity, the same for the same words."""
    keys = Keys.from_secret(hashlib.sha256(name.encode()).digest(), "regtest")
    key = RECOVERY.public_key.format().hex()
    soul = hashlib.sha256(b"soul of " + name.encode()).hexdigest()
    genesis = found(keys, soul, _AT, (key, AFTER) if recovery else ("", 0), parent)
    return Who(keys, genesis, scripts_of(genesis))


class Line:
    """Moves one coin on; each method adds a link and leaves the coin in `coin`."""

    def __init__(self, first: Who, deposits: int = 0) -> None:
        self.links: list[Link] = []
        self.now = first
        self.genesis = first.block
        self._deposits = 0
        coins = [self.deposit(first, _START) for _ in range(deposits + 1)]
        self.coin = coins[0]
        self.move(genesis_payload(first.genesis), coins, first, values=coins)

    def deposit(self, to: Who, value: int) -> Coin:
        """A coin that somebody paid to an identity."""
        self._deposits += 1
        txid = hashlib.sha256(b"deposit %d" % self._deposits).hexdigest()
        return Coin(Outpoint(Txid(txid), 0), value, to.scripts.deposit, to)

    def checkpoint(self, size: int, *more: Coin) -> None:
        """An anchor of a log that had so many leaves."""
        payload = Payload(AnchorKind.CHECKPOINT, commitment(checkpoint_of(self.now, size)))
        self.move(payload, [self.coin, *more], self.now, values=more)

    def handoff(self, to: Who, size: int = 9, **fields: Value) -> None:
        """The coin goes to a successor, who signs with a stake."""
        named: dict[str, Value] = {
            "old": self.now.genesis.cid,
            "new": to.genesis.cid,
            "soul": to.genesis.soul,
            "verdict": "",
            "checkpoint": checkpoint_of(self.now, size).text,
            "at": _AT,
        }
        record = self.now.says(HANDOFF, named | fields)
        accepted = to.says(ACCEPTED, {"handoff": record.block().cid, "at": _AT})
        records = (to.block, record.block().data, accepted.block().data)
        stake = self.deposit(to, 1000)
        self.move(handoff_payload(record), [self.coin, stake], to, values=[stake], records=records)

    def recover(self, to: Who) -> None:
        """The recovery key takes the coin for an heir."""
        self.move(genesis_payload(to.genesis), [self.coin], to, records=(to.block,), dead=True)

    def move(
        self,
        payload: Payload,
        spends: Sequence[Coin],
        to: Who,
        *,
        values: Sequence[Coin] = (),
        records: tuple[bytes, ...] = (),
        dead: bool = False,
    ) -> None:
        """Add any transaction as a link."""
        raw = spend(payload, spends, to.scripts.coin, dead=dead)
        self.links.append(Link(raw, tuple(one.value for one in values), records))
        found = transaction_of(raw)
        self.now = to
        self.coin = Coin(found.outpoint(1), found.outputs[1].value, found.outputs[1].script, to)

    def made(self, statements: Sequence[Attestation] = (), depth: int = 2) -> Made:
        """The lineage with its last link in a block of 2**depth transactions."""
        txid = bytes.fromhex(transaction_of(self.links[-1].raw).txid)[::-1]
        header, position, branch = mined(txid, depth)
        lineage = Lineage(
            self.genesis,
            tuple(self.links),
            tuple(one.block().data for one in statements),
            Placed(header, position, branch),
        )
        return Made(lineage, headers_on(header))


def checkpoint_of(who: Who, size: int) -> Checkpoint:
    """A made-up checkpoint of an identity's log."""
    return Checkpoint(who.genesis.name, size, hashlib.sha256(b"%d" % size).digest())


def spend(payload: Payload, spends: Sequence[Coin], to: bytes, *, dead: bool = False) -> bytes:
    """A signed transaction of the fixed layout; `dead`: the first input by the recovery key."""
    outputs = [
        CTxOut(0, CScript([OP_RETURN, payload.encode()])),
        CTxOut(sum(one.value for one in spends) - _FEE, CScript(to)),
    ]
    inputs = [
        CTxIn(
            COutPoint(bytes.fromhex(one.outpoint.txid)[::-1], one.outpoint.index),
            nSequence=AFTER if dead and number == 0 else _REPLACEABLE,
        )
        for number, one in enumerate(spends)
    ]
    made = CMutableTransaction(inputs, outputs, nVersion=2)
    plain = transaction_of(bytes(made.serialize()))
    stacks = [_witness(plain, i, one, dead=dead and i == 0) for i, one in enumerate(spends)]
    made.wit = CTxWitness([CTxInWitness(CScriptWitness(stack)) for stack in stacks])
    return bytes(made.serialize())


def _witness(plain: Transaction, index: int, coin: Coin, *, dead: bool) -> list[bytes]:
    scripts = coin.who.scripts
    by_key = coin.script == scripts.deposit
    code = keyhash_code(coin.script) if by_key else scripts.witness
    digest = digest_of(plain, index, code, coin.value)
    if dead:
        return [RECOVERY.sign(digest, hasher=None) + _ALL, b"", scripts.witness]
    signature = coin.who.keys.sign_ecdsa(digest) + _ALL
    return [signature, scripts.public] if by_key else [signature, _ALL, scripts.witness]
