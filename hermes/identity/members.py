"""Who belongs to the owner's fleet at a moment, from the statements that a store holds.

A revocation is final: no membership of that key counts afterwards, whenever it was signed.
Times are the owner's word; a stolen owner key can backdate.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from hermes.core.attestation import Attestation
from hermes.errors import ProofInvalid
from hermes.identity.statements import MEMBER, REVOKED, Member, Revoked, check_member, check_revoked

State = Literal["valid", "future", "expired", "revoked"]


class Membership(msgspec.Struct, frozen=True):
    """A node's newest membership and how it stands; times in ms UTC, `until` 0: no end."""

    node: str
    roles: tuple[str, ...]
    since: int
    until: int
    state: State
    reason: str = ""


def members_at(statements: Iterable[Attestation], owner: str, at: int) -> tuple[Membership, ...]:
    """How every node stands at a moment; statements by any other key count for nothing."""
    members: dict[str, Member] = {}
    revoked: dict[str, Revoked] = {}
    for one in statements:
        match _checked(one, owner):
            case Member() as member if member.at <= at:
                known = members.get(member.node)
                if known is None or known.at <= member.at:
                    members[member.node] = member
            case Revoked() as end if end.at <= at:
                revoked.setdefault(end.node, end)
            case _:
                continue
    return tuple(_standing(one, revoked.get(one.node), at) for one in members.values())


def is_member(statements: Iterable[Attestation], owner: str, node: str, at: int) -> bool:
    """Whether a node's key belongs to the fleet at a moment."""
    found = members_at(statements, owner, at)
    return any(one.node == node and one.state == "valid" for one in found)


def _checked(statement: Attestation, owner: str) -> Member | Revoked | None:
    try:
        if statement.kind == MEMBER:
            return check_member(statement, owner)
        return check_revoked(statement, owner) if statement.kind == REVOKED else None
    except ProofInvalid:
        return None


def _standing(member: Member, end: Revoked | None, at: int) -> Membership:
    state: State = "valid"
    if end is not None:
        state = "revoked"
    elif at < member.since:
        state = "future"
    elif not member.holds(at):
        state = "expired"
    reason = end.reason if end else ""
    return Membership(member.node, member.roles, member.since, member.until, state, reason)
