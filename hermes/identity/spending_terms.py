"""What a claim allows: checks its records and its payload, and says which scripts may move.

Everything here is derived from signed records and from what this signer signed itself; of the
claim's own words nothing is taken on trust.
"""

import hashlib

import msgspec

from hermes.core.anchor import AnchorKind, Payload, payload_of
from hermes.core.attestation import Attestation, attestation_of
from hermes.core.checkpoint import note_of
from hermes.errors import HermesError, Refused
from hermes.identity.attest import Genesis
from hermes.identity.claim import SpendClaim
from hermes.identity.coin import coin_script, deposit_script
from hermes.identity.genesis import genesis_of
from hermes.identity.note import check_note
from hermes.identity.signer_memory import Memory
from hermes.identity.spend import digest_of
from hermes.identity.statements import Handoff, check_handoff


class Terms(msgspec.Struct, frozen=True):
    """Scripts by what they may do; `stake` is the successor's, or empty."""

    pays: bytes
    ours: frozenset[bytes]
    foreign: frozenset[bytes] = frozenset()
    change: frozenset[bytes] = frozenset()
    stake: bytes = b""
    coin: frozenset[bytes] = frozenset()
    """What input 0 may be."""


def terms_of(claim: SpendClaim, genesis: Genesis, memory: Memory) -> Terms:
    """What this claim allows this identity; raises Refused with the reason."""
    try:
        payload = payload_of(bytes.fromhex(claim.payload))
    except ValueError as error:
        raise Refused(f"the payload: {error}") from error
    match claim.kind:
        case "anchor":
            return _anchor(claim, payload, genesis, memory)
        case "handoff":
            return _handoff(claim, payload, genesis, memory)
        case "recover":
            return _recover(claim, payload, genesis, memory)


def _anchor(claim: SpendClaim, payload: Payload, genesis: Genesis, memory: Memory) -> Terms:
    if payload.kind is AnchorKind.HANDOFF:
        raise Refused("a handoff's payload in an anchor")
    _check_body(claim, payload, genesis, memory)
    ours = frozenset({deposit_script(genesis), coin_script(genesis)})
    own = frozenset({deposit_script(genesis)})
    stake = _stake(claim, genesis) if claim.successor else b""
    return Terms(coin_script(genesis), ours, change=own, stake=stake, coin=ours)


def _check_body(claim: SpendClaim, payload: Payload, genesis: Genesis, memory: Memory) -> None:
    """A root of others' digests (a batch) says nothing of ours: any will do."""
    match payload.kind:
        case AnchorKind.GENESIS:
            if payload.body != hashlib.sha256(genesis.record.block().data).digest():
                raise Refused("the payload is not of this identity's genesis record")
        case AnchorKind.CHECKPOINT:
            text = _own_checkpoint(claim.checkpoint, genesis, memory)
            if payload.body.hex() != digest_of(text):
                raise Refused("the payload is not of the checkpoint that was claimed")
        case AnchorKind.BATCH:
            pass
        case AnchorKind.HANDOFF:
            raise Refused("a handoff's payload outside of a handoff")


def _own_checkpoint(claimed: str, genesis: Genesis, memory: Memory) -> str:
    """The text of a checkpoint that this very signer signed."""
    if digest_of(claimed) in memory.signed:
        return claimed
    try:
        note = note_of(claimed)
        check_note(note, bytes.fromhex(genesis.log), genesis.name)
    except (ValueError, HermesError) as error:
        raise Refused("the checkpoint is none that this signer signed") from error
    return note.text


def _stake(claim: SpendClaim, genesis: Genesis) -> bytes:
    successor = _genesis(claim.successor, "successor", genesis)
    if successor.parent != genesis.cid:
        _, handoff = _record(claim, genesis)
        if handoff.new != successor.cid:
            raise Refused("the stake's receiver is not appointed by this identity")
    return deposit_script(successor)


def _handoff(claim: SpendClaim, payload: Payload, genesis: Genesis, memory: Memory) -> Terms:
    gives = not claim.predecessor
    old = genesis if gives else _genesis(claim.predecessor, "predecessor", genesis)
    record, handoff = _record(claim, old)
    if gives:
        new = _genesis(claim.successor, "successor", genesis)
        _own_checkpoint(handoff.checkpoint, genesis, memory)
    else:
        new = genesis
    if handoff.new != new.cid:
        raise Refused("the handoff appoints another successor")
    record_digest = hashlib.sha256(record.block().data).hexdigest()
    if payload.kind is not AnchorKind.HANDOFF:
        raise Refused("a handoff without a handoff's payload")
    if payload.body.hex() != digest_of(handoff.checkpoint) + record_digest:
        raise Refused("the payload is not of this handoff's record and checkpoint")
    olds = frozenset({deposit_script(old), coin_script(old)})
    news = frozenset({deposit_script(new)})
    return Terms(
        pays=coin_script(new),
        ours=olds if gives else news,
        foreign=news if gives else olds,
        coin=olds,  # and no change: it could pay the successor's own deposits away
    )


def _recover(claim: SpendClaim, payload: Payload, genesis: Genesis, memory: Memory) -> Terms:
    old = _genesis(claim.predecessor, "predecessor", genesis)
    if genesis.parent != old.cid:
        raise Refused("this identity's genesis record does not name that predecessor")
    if not old.recovery:
        raise Refused("the predecessor's coin has no recovery path")
    if payload.kind not in {AnchorKind.GENESIS, AnchorKind.CHECKPOINT}:
        raise Refused("a recovery commits to the new genesis record, or to its checkpoint")
    _check_body(claim, payload, genesis, memory)
    own = frozenset({deposit_script(genesis)})
    coin = frozenset({coin_script(old)})
    return Terms(coin_script(genesis), own, foreign=coin, change=own, coin=coin)


def _genesis(block: str, who: str, own: Genesis) -> Genesis:
    try:
        found = genesis_of(bytes.fromhex(block))
    except HermesError as error:
        raise Refused(f"the {who}'s genesis record: {error.message}") from error
    if found.network != own.network:
        raise Refused(f"the {who} lives on {found.network}, this identity on {own.network}")
    return found


def _record(claim: SpendClaim, old: Genesis) -> tuple[Attestation, Handoff]:
    try:
        record = attestation_of(bytes.fromhex(claim.handoff))
        return record, check_handoff(record, old)
    except (ValueError, TypeError, RecursionError) as error:
        raise Refused("the claim holds no handoff record") from error
    except HermesError as error:
        raise Refused(f"the handoff record: {error.message}") from error
