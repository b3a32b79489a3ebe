"""Under which subject an identity's statement is kept, once it holds.

A soul or a member is kept of this identity and its owner only; genesis records and successions
of others are kept too, and whether one of these is believed is the walk's to say.
"""

from hermes.core.attestation import Attestation
from hermes.errors import ProofInvalid
from hermes.identity.attest import GENESIS, Genesis, check, check_genesis
from hermes.identity.gate_statements import ADOPTION, APPROVAL, OUTCOME, TAKEN, VERDICT
from hermes.identity.statements import (
    ACCEPTED,
    HANDOFF,
    MEMBER,
    REVOKED,
    SOUL,
    check_member,
    check_revoked,
    check_soul,
)


def subject_of(statement: Attestation, own: Genesis) -> str:
    """What a statement is about: a key, a soul, a record; raises ProofInvalid."""
    match statement.kind:
        case kind if kind == GENESIS:
            return str(check_genesis(statement).cid)
        case kind if kind == SOUL:
            return check_soul(statement, own).soul
        case kind if kind == MEMBER:
            return check_member(statement, own.owner).node
        case kind if kind == REVOKED:
            return check_revoked(statement, own.owner).node
        case kind if kind in {HANDOFF, ACCEPTED}:
            check(statement)
            named = statement.fields.get("new" if kind == HANDOFF else "handoff")
            return str(named)
        case kind if kind in {VERDICT, APPROVAL, ADOPTION, TAKEN, OUTCOME}:
            check(statement)
            ends = kind in {TAKEN, OUTCOME}
            return str(statement.fields.get("adoption" if ends else "candidate"))
        case kind:
            raise ProofInvalid(f"a statement {kind!r} is nothing that is kept here")
