"""Whether a bundle's anchor is what it must be: in its block, paid by the coin of this identity.

From the block inwards: header, branch, transaction, payload; from the transaction backwards:
each witness against what it spends, the continuity coin back to the anchor before. Whether the
header belongs to the best chain is not decided here.
"""

from collections.abc import Sequence
from typing import NamedTuple

from hermes.chain.bundle import Bundle
from hermes.chain.scripts import payload_in, scripts_of
from hermes.chain.sighash import check_ours
from hermes.chain.spend import HAVE_KERNEL, check_spend
from hermes.chain.spv import check_mined
from hermes.chain.transaction import Output, Transaction, transaction_of
from hermes.core.anchor import MAGIC, AnchorKind, Payload
from hermes.errors import ProofInvalid
from hermes.identity.attest import Genesis

_COIN_OUTPUT = 1
_BY_RECOVERY = b""


class Anchor(NamedTuple):
    """An anchor in its block: what it spends and what it says."""

    raw: bytes
    transaction: Transaction
    spent: tuple[Output, ...]
    payload: Payload
    before: Payload
    """What the anchor before said."""


def anchor_in(bundle: Bundle) -> Anchor:
    """Check block, branch and lineage: hashes alone, no signature; raises ProofInvalid."""
    anchor = read(bundle.transaction)
    check_mined(anchor.stripped, bundle.position, bundle.branch, bundle.header)
    parents = tuple(map(read, bundle.spent))
    spent = _spent(anchor, parents)
    before = _before(parents[0], tuple(map(read, bundle.lineage)))
    return Anchor(bundle.transaction, anchor, spent, payload_of_anchor(anchor), before)


def check_paid(anchor: Anchor, genesis: Genesis) -> None:
    """Check that the identity's coin was spent, and every witness; raises ProofInvalid."""
    first, scripts = anchor.transaction.inputs[0], scripts_of(genesis)
    if anchor.spent[0].script not in {scripts.deposit, scripts.coin}:
        raise ProofInvalid("the anchor spends a coin that is not the identity's")
    if first.outpoint.index != _COIN_OUTPUT:
        raise ProofInvalid("the anchor does not spend the continuity coin")
    if first.witness[1:2] == (_BY_RECOVERY,):
        raise ProofInvalid("the coin was taken by the recovery key, not by the identity")
    # Ours is the stricter: low S and the shortest choice are policy to Bitcoin, not consensus,
    # and a proof must not have a second form.
    check_ours(anchor.transaction, anchor.spent)
    if HAVE_KERNEL:
        points = [one.outpoint for one in anchor.transaction.inputs]
        values = [(one.value, one.script) for one in anchor.spent]
        check_spend(anchor.raw, dict(zip(points, values, strict=True)))


def read(raw: bytes) -> Transaction:
    """A transaction of a bundle; raises ProofInvalid."""
    try:
        return transaction_of(raw)
    except ValueError as error:
        raise ProofInvalid(f"a transaction in the bundle: {error}") from error


def payload_of_anchor(transaction: Transaction) -> Payload:
    """What an anchor commits to; raises ProofInvalid on any other transaction."""
    ours = [one.script for one in transaction.outputs if MAGIC in one.script]
    payload = payload_in(transaction.outputs[0].script)
    if payload is None or len(ours) != 1:
        raise ProofInvalid("the transaction is no anchor: it must commit once, in its first output")
    return payload


def _has_witness(one: Transaction) -> bool:
    # Nothing would vouch for it: an id leaves the witness out.
    return any(spend.witness for spend in one.inputs)


def _spent(anchor: Transaction, before: Sequence[Transaction]) -> tuple[Output, ...]:
    if len(before) != len(anchor.inputs):
        raise ProofInvalid("the bundle must hold one earlier transaction for each input")
    found = []
    for one, spend in zip(before, anchor.inputs, strict=True):
        if one.outpoint(spend.outpoint.index) != spend.outpoint or _has_witness(one):
            raise ProofInvalid("the anchor spends another transaction than the bundle holds")
        if spend.outpoint.index >= len(one.outputs):
            raise ProofInvalid("the anchor spends an output that does not exist")
        found.append(one.outputs[spend.outpoint.index])
    return tuple(found)


def _before(parent: Transaction, lineage: Sequence[Transaction]) -> Payload:
    """The payload of the anchor before this one, past the batches in between."""
    payload, child = payload_of_anchor(parent), parent
    for one in lineage:
        if payload.kind is not AnchorKind.BATCH:
            raise ProofInvalid("the lineage goes on behind the anchor before this one")
        if child.inputs[0].outpoint != one.outpoint(_COIN_OUTPUT) or _has_witness(one):
            raise ProofInvalid("the lineage skips a move of the continuity coin")
        payload, child = payload_of_anchor(one), one
    if payload.kind is AnchorKind.BATCH:
        raise ProofInvalid("the lineage does not reach an anchor of the log")
    return payload
