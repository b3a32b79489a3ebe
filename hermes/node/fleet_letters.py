"""What nodes write each other when a member comes, and how such a letter is read.

Apart from who acts on them. A statement proves only what its signer says; whose words count here,
the fleet knows.
"""

from typing import Annotated

import msgspec

from hermes.core.attestation import Attestation, attestation_of
from hermes.errors import ProofInvalid
from hermes.identity.attest import Hex32
from hermes.identity.statements import MEMBER, check_member, check_revoked

JOIN, JOINED, FLEET = "join", "joined", "fleet"
MOST = 1_000
"""Statements in one letter, at most."""

_Urls = Annotated[
    tuple[Annotated[str, msgspec.Meta(max_length=128)], ...], msgspec.Meta(max_length=8)
]
_Block = Annotated[str, msgspec.Meta(max_length=8_192, pattern=r"\A([0-9a-f]{2})+\Z")]
_Blocks = Annotated[tuple[_Block, ...], msgspec.Meta(max_length=MOST)]


class Join(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Let me in, by this secret; I read at these relays."""

    secret: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z")]
    relays: _Urls = ()


class Joined(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """You are in: who I am, and what the owner signed of everybody."""

    genesis: _Block
    statements: _Blocks
    relays: _Urls = ()


class News(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the owner signed of everybody."""

    statements: _Blocks


def statement_of(block: str) -> Attestation:
    """A statement from its block in hex; raises ProofInvalid."""
    try:
        return attestation_of(bytes.fromhex(block))
    except (ValueError, TypeError, RecursionError) as error:
        raise ProofInvalid("not the block of a statement") from error


def about(statement: Attestation) -> str:
    """The node that a membership or its end is about; raises ProofInvalid."""
    found: Hex32
    if statement.kind == MEMBER:
        found = check_member(statement, statement.by).node
    else:
        found = check_revoked(statement, statement.by).node
    return found
