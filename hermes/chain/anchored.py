"""Whether a bundle's anchor is what it must be: paid by the coin of this identity, in a block.

From the block inwards: header, branch, transaction, payload; from the transaction backwards:
each witness against what it spends, the continuity coin back to the anchor before. Whether the
header belongs to the best chain is not decided here.
"""

from collections.abc import Sequence
from typing import NamedTuple

from bitcoin.core import CTransaction

from hermes.chain.backend import Outpoint, Txid
from hermes.chain.bundle import Bundle
from hermes.chain.scripts import coin_script, p2wpkh
from hermes.chain.spend import check_spend
from hermes.chain.spv import check_mined
from hermes.chain.work import sha256d, shown
from hermes.core.anchor import MAGIC, AnchorKind, Payload, payload_of
from hermes.errors import HermesError, ProofInvalid
from hermes.identity.attest import Genesis

_RETURN = b"\x6a"
_COIN_OUTPUT = 1
_ALL = b"\x01"
_PUBLIC = 33
_CHOICE = b"\x01"  # MINIMALIF is policy, not consensus: anything but this would still be mined


class Spent(NamedTuple):
    """An output that the anchor spends."""

    value: int
    script: bytes


class Anchor(NamedTuple):
    """An anchor in its block: its id as people write it, what it spends, what it says."""

    txid: Txid
    raw: bytes
    transaction: CTransaction
    spent: tuple[Spent, ...]
    payload: Payload
    before: Payload
    """What the anchor before said."""


def anchor_in(bundle: Bundle) -> Anchor:
    """Check block, branch and lineage: hashes alone, no signature; raises ProofInvalid."""
    raw, transaction = bundle.transaction, _read(bundle.transaction)
    if not transaction.has_witness():
        raise ProofInvalid("the anchor has no witness")
    txid = check_mined(_stripped(transaction), bundle.position, bundle.branch, bundle.header)
    spent = _spent(transaction, bundle.spent)
    before = _before(bundle.spent[0], bundle.lineage)
    return Anchor(Txid(shown(txid)), raw, transaction, spent, _payload(transaction), before)


def check_paid(anchor: Anchor, genesis: Genesis) -> None:
    """Check that the identity's coin was spent, and every witness; raises ProofInvalid."""
    transaction, spent = anchor.transaction, anchor.spent
    coin, recovery = bytes.fromhex(genesis.coin), bytes.fromhex(genesis.recovery)
    own = {p2wpkh(coin), coin_script(coin, recovery, genesis.recovery_after)}
    if spent[0].script not in own:
        raise ProofInvalid("the anchor spends a coin that is not the identity's")
    if transaction.vin[0].prevout.n != _COIN_OUTPUT:
        raise ProofInvalid("the anchor does not spend the continuity coin")
    _check_forms(transaction)
    outpoints = [Outpoint(Txid(shown(one.prevout.hash)), one.prevout.n) for one in transaction.vin]
    try:
        check_spend(anchor.raw, dict(zip(outpoints, spent, strict=True)))
    except HermesError as error:
        raise ProofInvalid(f"a signature of the anchor does not hold: {error}") from error


def stripped(raw: bytes) -> bytes:
    """A transaction without its witness; raises ProofInvalid."""
    return _stripped(_read(raw))


def payload_in(raw: bytes) -> Payload:
    """What an anchor commits to; raises ProofInvalid on any other transaction."""
    return _payload(_read(raw))


def spent_by(raw: bytes) -> tuple[Outpoint, ...]:
    """The outputs that a transaction spends, in order; raises ProofInvalid."""
    return tuple(Outpoint(Txid(shown(one.prevout.hash)), one.prevout.n) for one in _read(raw).vin)


def _stripped(whole: CTransaction) -> bytes:
    return bytes(CTransaction(whole.vin, whole.vout, whole.nLockTime, whole.nVersion).serialize())


def _read(raw: bytes) -> CTransaction:
    try:
        found = CTransaction.deserialize(raw)
        same = found.serialize() == raw
    except Exception as error:  # the library raises what it likes on hostile bytes
        raise ProofInvalid("a transaction in the bundle cannot be read") from error
    if not same:
        raise ProofInvalid("a transaction in the bundle is not in its one encoding")
    return found


def _payload(transaction: CTransaction) -> Payload:
    ours = [
        bytes(out.scriptPubKey)
        for out in transaction.vout
        if out.scriptPubKey[:1] == _RETURN and MAGIC in out.scriptPubKey
    ]
    if len(ours) != 1 or bytes(transaction.vout[0].scriptPubKey) != ours[0]:
        raise ProofInvalid("the transaction is no anchor: it must commit once, in its first output")
    raw = ours[0][2:]
    if ours[0] != _RETURN + bytes((len(raw),)) + raw:
        raise ProofInvalid("the anchor's payload is not pushed in one piece")
    try:
        return payload_of(raw)
    except ValueError as error:
        raise ProofInvalid(f"the anchor's payload: {error}") from error


def _spent(transaction: CTransaction, before: Sequence[bytes]) -> tuple[Spent, ...]:
    if len(before) != len(transaction.vin):
        raise ProofInvalid("the bundle must hold one earlier transaction for each input")
    found = []
    for one, raw in zip(transaction.vin, before, strict=True):
        if sha256d(raw) != one.prevout.hash:
            raise ProofInvalid("the anchor spends another transaction than the bundle holds")
        outputs = _read(raw).vout
        if one.prevout.n >= len(outputs):
            raise ProofInvalid("the anchor spends an output that does not exist")
        output = outputs[one.prevout.n]
        found.append(Spent(output.nValue, bytes(output.scriptPubKey)))
    return tuple(found)


def _check_forms(transaction: CTransaction) -> None:
    """Signature and key, or signature, choice and script: what else would be mined is not ours."""
    for one, witness in zip(transaction.vin, transaction.wit.vtxinwit, strict=True):
        if one.scriptSig:
            raise ProofInvalid("an input of the anchor is not of segwit's kind")
        match list(witness.scriptWitness.stack):
            case [signature, public] if len(public) == _PUBLIC:
                pass
            case [signature, choice, _] if choice == _CHOICE:
                pass
            case _:
                raise ProofInvalid("a witness of the anchor has a form that is not ours")
        if signature[-1:] != _ALL:
            raise ProofInvalid("a signature of the anchor does not cover all of it (SIGHASH_ALL)")


def _before(parent: bytes, lineage: Sequence[bytes]) -> Payload:
    """The payload of the anchor before this one, past the batches in between."""
    payload = payload_in(parent)
    child = parent
    for raw in lineage:
        if payload.kind is not AnchorKind.BATCH:
            raise ProofInvalid("the lineage goes on behind the anchor before this one")
        outpoint = _read(child).vin[0].prevout
        if sha256d(raw) != outpoint.hash or outpoint.n != _COIN_OUTPUT:
            raise ProofInvalid("the lineage skips a move of the continuity coin")
        payload, child = payload_in(raw), raw
    if payload.kind is AnchorKind.BATCH:
        raise ProofInvalid("the lineage does not reach an anchor of the log")
    return payload
