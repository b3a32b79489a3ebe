"""What an identity states of its own change, typed: from the verdict to what became of it.

All by the `attest` key. That a person stood behind an approval is the node's word: whoever counts
the approvals of several nodes trusts each node for that.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

import msgspec

from hermes.core.attestation import Attestation
from hermes.core.canonical import Value
from hermes.core.verdict import VERDICT_KIND, Verdict
from hermes.errors import ProofInvalid
from hermes.identity.attest import CidText, Genesis, Hex32, Moment, check

VERDICT = VERDICT_KIND
APPROVAL = "hermes/approval/1"
ADOPTION = "hermes/adoption/1"
TAKEN = "hermes/taken/1"
OUTCOME = "hermes/outcome/1"

_Line = Annotated[str, msgspec.Meta(max_length=1000)]
_Tag = Annotated[str, msgspec.Meta(pattern=r"\Av[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}\Z")]
_TagOrNone = Annotated[str, msgspec.Meta(pattern=r"\A(v[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6})?\Z")]
_Commit = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{40}([0-9a-f]{24})?\Z")]
_TrialId = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f-]{36}\Z")]
_Shape = TypeVar("_Shape", bound=msgspec.Struct)


class Approval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A word on a candidate; `diff` is the SHA-256 of the difference that was shown for it."""

    candidate: CidText
    verdict: CidText
    answer: Literal["approve", "reject"]
    who: _Line
    door: Literal["terminal", "dm", "node"]
    diff: Hex32
    reason: _Line
    at: Moment


class Adoption(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A candidate becomes a version: tag, git commit, tree; `previous` "" is the installed code."""

    candidate: CidText
    verdict: CidText
    approvals: Annotated[tuple[CidText, ...], msgspec.Meta(min_length=1, max_length=64)]
    tag: _Tag
    version: _Commit
    previous: _TagOrNone
    tree: Hex32
    at: Moment


class Taken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The version that was adopted has taken over: its own word, on the files it found itself in.

    The counterpart of `Adoption`, which the version before signed.
    """

    adoption: CidText
    tag: _Tag
    version: _Commit
    tree: Hex32
    at: Moment


class OutcomeOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What became of an adoption."""

    adoption: CidText
    outcome: Literal["kept", "rolled back", "failed"]
    why: _Line
    at: Moment


class _Trial(msgspec.Struct, frozen=True):
    trial: _TrialId
    candidate: CidText
    at: Moment


def check_verdict(statement: Attestation, genesis: Genesis) -> Verdict:
    """A verdict as this instance signed it; raises ProofInvalid."""
    about = _typed(statement, VERDICT, genesis, _Trial)
    told = {name: value for name, value in statement.fields.items() if name != "trial"}
    try:
        found = msgspec.convert(told, Verdict)
    except msgspec.ValidationError as error:
        raise ProofInvalid(f"a verdict: {error}") from error
    if told.keys() - set(Verdict.__struct_fields__) or found.candidate != about.candidate:
        raise ProofInvalid("a verdict says what no verdict says")
    return found


def check_approval(statement: Attestation, genesis: Genesis) -> Approval:
    """A word on a candidate as this instance signed it; raises ProofInvalid."""
    return _typed(statement, APPROVAL, genesis, Approval)


def check_adoption(statement: Attestation, genesis: Genesis) -> Adoption:
    """An adoption as this instance signed it; raises ProofInvalid."""
    found = _typed(statement, ADOPTION, genesis, Adoption)
    if found.tag == found.previous:
        raise ProofInvalid("an adoption follows itself")
    return found


def check_taken(statement: Attestation, genesis: Genesis) -> Taken:
    """A version's word that it has taken over, as this instance signed it; raises ProofInvalid."""
    return _typed(statement, TAKEN, genesis, Taken)


def check_outcome(statement: Attestation, genesis: Genesis) -> OutcomeOf:
    """What became of an adoption as this instance signed it; raises ProofInvalid."""
    return _typed(statement, OUTCOME, genesis, OutcomeOf)


def _typed(statement: Attestation, kind: str, genesis: Genesis, shape: type[_Shape]) -> _Shape:
    if statement.kind != kind or statement.by != genesis.attest:
        raise ProofInvalid(f"not a statement {kind} of this instance")
    check(statement)
    fields: Mapping[str, Value] = dict(statement.fields)
    try:
        return msgspec.convert(fields, shape)
    except msgspec.ValidationError as error:
        raise ProofInvalid(f"a statement {kind}: {error}") from error
