"""What an identity states after its genesis, typed: soul, members, revocations, succession.

Each check takes the statement and the keys it must be of. Order in time, and whether a later
statement undid this one, is for whoever holds the log.
"""

from typing import Annotated, TypeVar

import msgspec

from hermes.core.attestation import Attestation
from hermes.core.canonical import Value, link
from hermes.core.checkpoint import checkpoint_of
from hermes.core.ids import Cid
from hermes.errors import ProofInvalid
from hermes.identity.attest import CidText, Genesis, Hex32, Moment, check

SOUL = "hermes/soul/1"
MEMBER = "hermes/member/1"
REVOKED = "hermes/revoked/1"
HANDOFF = "hermes/handoff/1"
ACCEPTED = "hermes/accepted/1"

_CidOrNone = Annotated[str, msgspec.Meta(pattern=r"\A(bafyrei[a-z2-7]{52})?\Z")]
_RoleName = Annotated[str, msgspec.Meta(pattern=r"\A[a-z][a-z0-9-]{0,31}\Z")]
_Shape = TypeVar("_Shape", bound=msgspec.Struct)


class Soul(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """SOUL.md is now this one; `soul` is its SHA-256, `previous` the statement before or ""."""

    soul: Hex32
    genesis: CidText
    at: Moment
    previous: _CidOrNone


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A node belongs to the owner's fleet; `until` 0: no end. Times in ms UTC."""

    node: Hex32
    roles: Annotated[tuple[_RoleName, ...], msgspec.Meta(max_length=16)]
    since: Moment
    until: Moment
    at: Moment

    def holds(self, at: int) -> bool:
        """Whether the membership covers a moment; a revocation is a statement of its own."""
        return self.since <= at and (not self.until or at < self.until)


class Revoked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A node belongs to the fleet no more."""

    node: Hex32
    at: Moment
    reason: Annotated[str, msgspec.Meta(max_length=1000)]


class Handoff(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The old instance names its successor; `checkpoint` is its log's last, as text."""

    old: CidText
    new: CidText
    soul: Hex32
    verdict: _CidOrNone
    checkpoint: Annotated[str, msgspec.Meta(max_length=256)]
    at: Moment


class Accepted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The successor takes over."""

    handoff: CidText
    at: Moment


def check_soul(statement: Attestation, genesis: Genesis) -> Soul:
    """A SOUL.md that this instance attested; raises ProofInvalid."""
    soul = _typed(statement, SOUL, genesis.attest, Soul)
    if soul.genesis != genesis.cid:
        raise ProofInvalid("the soul's attestation is of another genesis")
    return soul


def check_member(statement: Attestation, owner: str) -> Member:
    """A membership that this owner signed; raises ProofInvalid."""
    member = _typed(statement, MEMBER, owner, Member)
    if member.until and member.until <= member.since:
        raise ProofInvalid("a membership ends before it begins")
    return member


def check_revoked(statement: Attestation, owner: str) -> Revoked:
    """A revocation that this owner signed; raises ProofInvalid."""
    return _typed(statement, REVOKED, owner, Revoked)


def check_handoff(statement: Attestation, old: Genesis) -> Handoff:
    """A succession as the old instance signed it; raises ProofInvalid."""
    handoff = _typed(statement, HANDOFF, old.attest, Handoff)
    if handoff.old != old.cid or handoff.new == old.cid:
        raise ProofInvalid("the handoff is not from this instance to another")
    try:
        checkpoint = checkpoint_of(handoff.checkpoint)
    except ValueError as error:
        raise ProofInvalid("the handoff's checkpoint is none") from error
    if checkpoint.origin != old.name:
        raise ProofInvalid("the handoff's checkpoint is of another log")
    return handoff


def check_accepted(statement: Attestation, handoff: Attestation, new: Genesis) -> Accepted:
    """The successor's own word that it takes over; raises ProofInvalid.

    `handoff` is the statement that `check_handoff` let through.
    """
    accepted = _typed(statement, ACCEPTED, new.attest, Accepted)
    if accepted.handoff != handoff.block().cid or handoff.fields.get("new") != new.cid:
        raise ProofInvalid("the acceptance is of another handoff, or by another instance")
    return accepted


def _typed(statement: Attestation, kind: str, by: str, shape: type[_Shape]) -> _Shape:
    if statement.kind != kind:
        raise ProofInvalid(f"not a statement {kind}")
    if statement.by != by:
        raise ProofInvalid(f"a statement {kind} is by another key than it must be")
    check(statement)
    try:
        found = msgspec.convert(dict(statement.fields), shape)
    except msgspec.ValidationError as error:
        raise ProofInvalid(f"a statement {kind}: {error}") from error
    for name in ("genesis", "previous", "old", "new", "verdict", "handoff"):
        _named(kind, statement.fields.get(name))
    return found


def _named(kind: str, cid: Value) -> None:
    try:
        if isinstance(cid, str) and cid:
            link(Cid(cid))
    except ValueError as error:
        raise ProofInvalid(f"a statement {kind} names something that is no CID") from error
