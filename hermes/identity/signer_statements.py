"""Which statements the signer makes, by which key, and what it checks of each.

A new kind is a line in the table; a kind that is not there is refused.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from hermes.core.attestation import Attestation
from hermes.core.canonical import Value
from hermes.errors import Refused
from hermes.identity.attest import Genesis, make
from hermes.identity.gate_statements import (
    ADOPTION,
    APPROVAL,
    OUTCOME,
    TAKEN,
    VERDICT,
    check_adoption,
    check_approval,
    check_outcome,
    check_taken,
    check_verdict,
)
from hermes.identity.keys import Keys, Role
from hermes.identity.signer_memory import Memory
from hermes.identity.spend import digest_of
from hermes.identity.statements import (
    ACCEPTED,
    HANDOFF,
    MEMBER,
    REVOKED,
    SOUL,
    Accepted,
    check_handoff,
    check_member,
    check_revoked,
    check_soul,
)


class Standing(NamedTuple):
    """What a statement is judged against; `soul` is the SHA-256 of the SOUL.md that lies there."""

    genesis: Genesis
    memory: Memory
    soul: str


def state(
    keys: Keys, kind: str, fields: Mapping[str, Value], standing: Standing, now: int
) -> Attestation:
    """Make a statement; raises Refused or ProofInvalid, and then nothing was signed for anyone."""
    if kind not in _KINDS:
        raise Refused(f"this signer makes no statement {kind!r}")
    role, check = _KINDS[kind]
    if getattr(keys.roles, role) != getattr(standing.genesis, role):
        raise Refused(
            "the owner's key is not here: the genesis record names one from outside",
            "sign the record where that key is, and bring it: hermes identity member add --signed",
        )
    if "at" in fields:
        raise Refused("the signer dates its statements itself")
    defaults = _soul_defaults(standing) if kind == SOUL else {}
    made = make(keys, role, kind, {"at": now, **defaults, **fields})
    check(made, standing)
    return made


def _soul_defaults(standing: Standing) -> dict[str, Value]:
    return {"genesis": standing.genesis.cid, "previous": standing.memory.soul_act}


def _soul(made: Attestation, standing: Standing) -> None:
    soul = check_soul(made, standing.genesis)
    if soul.soul != standing.soul:
        raise Refused("SOUL.md is not the text that was to be attested", "look at it again")
    if soul.previous != standing.memory.soul_act:
        raise Refused("the attestation does not follow the last one")


def _handoff(made: Attestation, standing: Standing) -> None:
    handoff = check_handoff(made, standing.genesis)
    if digest_of(handoff.checkpoint) not in standing.memory.signed:
        raise Refused("the handoff's checkpoint is none that this signer signed")


def _accepted(made: Attestation, _standing: Standing) -> None:
    try:
        msgspec.convert(dict(made.fields), Accepted)
    except msgspec.ValidationError as error:
        raise Refused(f"the acceptance: {error}") from error


_KINDS: Mapping[str, tuple[Role, Callable[[Attestation, Standing], object]]] = {
    SOUL: ("attest", _soul),
    HANDOFF: ("attest", _handoff),
    ACCEPTED: ("attest", _accepted),
    MEMBER: ("owner", lambda made, standing: check_member(made, standing.genesis.owner)),
    REVOKED: ("owner", lambda made, standing: check_revoked(made, standing.genesis.owner)),
    VERDICT: ("attest", lambda made, standing: check_verdict(made, standing.genesis)),
    APPROVAL: ("attest", lambda made, standing: check_approval(made, standing.genesis)),
    ADOPTION: ("attest", lambda made, standing: check_adoption(made, standing.genesis)),
    TAKEN: ("attest", lambda made, standing: check_taken(made, standing.genesis)),
    OUTCOME: ("attest", lambda made, standing: check_outcome(made, standing.genesis)),
}
