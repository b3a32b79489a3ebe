"""What goes between the node and its signer: options, status, errors. JSON-RPC 2.0 by lines.

Apart from both sides, and without a key library: the node imports it.
"""

from typing import Literal

import msgspec

from hermes.core.event import Json
from hermes.errors import (
    HermesError,
    IdentityError,
    IdentityInvalid,
    IdentityLocked,
    IdentityMissing,
    NotAvailable,
    PassphraseWrong,
    ProofInvalid,
    Refused,
    SignerGone,
    Usage,
)
from hermes.identity.roles import Roles

READY = b"ready\n"
LINE_MOST = 512 * 1024
"""Bytes of a request or an answer."""
LOCKED = 3
"""The exit code of a signer that was locked: its memory is the kernel's again, zeroed."""

_FAILED = -32_000
_KINDS = {
    kind.__name__: kind
    for kind in (
        IdentityError,
        IdentityInvalid,
        IdentityLocked,
        IdentityMissing,
        NotAvailable,
        PassphraseWrong,
        ProofInvalid,
        Refused,
        SignerGone,
        Usage,
    )
}


class Caps(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the settings allow a spend: satoshi, satoshi a virtual byte; a month is 30 days."""

    network: Literal["regtest", "signet", "testnet4", "main"]
    fee_most: int
    fee_rate_most: float
    month_most: int
    mainnet: bool = False


class SignerOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line of a signer's standard input; when that closes, it ends.

    `folder` is the identity's, `soul` the path of the SOUL.md that runs, `unattended` whether
    it may unlock itself with `unlocked.key`.
    """

    folder: str
    socket: str
    soul: str
    caps: Caps
    unattended: bool = True


class SignerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a signer stands.

    `roles` and `network` are None and "" while locked, as is `soul_ok`; `hardened` names what
    the kernel granted: no-core, no-ptrace, locked-memory; `problem` says why a node that should
    unlock itself did not; `month_sat` is what 30 days of spends cost.
    """

    locked: bool
    roles: Roles | None = None
    network: str = ""
    soul_ok: bool = False
    soul: str = ""
    """SHA-256 of the SOUL.md that lies there now, as the signer reads it; empty: unreadable."""
    attested: str = ""
    """SHA-256 of the SOUL.md that was attested last."""
    owner_here: bool = False
    """Whether the genesis record's owner key is this identity's own."""
    month_sat: int = 0
    hardened: tuple[str, ...] = ()
    problem: str = ""


def fault_of(error: HermesError) -> dict[str, Json]:
    """An error as JSON-RPC carries it."""
    data = {"kind": type(error).__name__, "remedy": error.remedy}
    return {"code": _FAILED, "message": error.message, "data": data}


def error_of(fault: Json) -> HermesError:
    """The error that an answer carries."""
    match fault:
        case {"message": str(message), "data": {"kind": str(kind), "remedy": str(remedy)}}:
            return _KINDS.get(kind, IdentityError)(message, remedy)
        case {"message": str(message)}:
            return IdentityError(f"the signer: {message}")
        case _:
            return SignerGone("the signer's answer is none")
