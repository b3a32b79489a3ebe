"""Verdicts, approvals, adoptions and outcomes as the signer makes and as others check them."""

import hashlib

import msgspec
import pytest

from hermes.core.attestation import attestation_of
from hermes.core.canonical import encode
from hermes.core.verdict import Evidence, Ratio, Spent, Verdict, Ward
from hermes.errors import ProofInvalid, Refused
from hermes.identity.attest import check_genesis, make
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
from hermes.identity.genesis import found
from hermes.identity.keys import Keys
from hermes.identity.signer_memory import Memory
from hermes.identity.signer_statements import Standing, state
from hermes.identity.subjects import subject_of

KEYS = Keys.from_secret(hashlib.sha256(b"one").digest(), "regtest")
OTHER = Keys.from_secret(hashlib.sha256(b"two").digest(), "regtest")
GENESIS = found(KEYS, "a" * 64, 1_000)
THEIRS = found(OTHER, "a" * 64, 1_000)
STANDING = Standing(GENESIS, Memory(GENESIS.cid, "a" * 64), "a" * 64)
CID = encode({"some": "candidate"}).cid
WORD = encode({"a": "verdict"}).cid
TRIAL = "01a1ff31-8ce5-7248-b311-dd4500488a53"
FOUND = Verdict(
    candidate=CID,
    word="approve",
    reasons=("faster",),
    evidence=(
        Evidence("speed", "pass", "faster", ("a",), (Ratio("s", "faster", 700, 650, 750, 20),)),
    ),
    spent=Spent(),
    limits=(),
    ward=Ward("A", "6.1", 7, "0.8", "b" * 64),
    person_only=(),
    judge="c" * 40,
    seed="ab",
    at=0,
)
APPROVED = {
    "candidate": CID, "verdict": WORD, "answer": "approve", "who": "me", "door": "terminal",
    "diff": "d" * 64, "reason": "",
}  # fmt: skip
ADOPTED = {
    "candidate": CID, "verdict": WORD, "approvals": [WORD], "tag": "v0.2.0", "version": "e" * 40,
    "previous": "", "tree": "f" * 64,
}  # fmt: skip
TOOK = {"adoption": WORD, "tag": "v0.2.0", "version": "e" * 40, "tree": "f" * 64}
ENDED = {"adoption": WORD, "outcome": "kept", "why": ""}


def told(verdict=FOUND):
    fields = msgspec.json.decode(msgspec.json.encode(verdict))
    del fields["at"]
    return {"trial": TRIAL, **fields}


def sign(kind, fields):
    return state(KEYS, kind, fields, STANDING, 5_000)


def test_a_verdict_comes_back_as_it_was():
    made = sign(VERDICT, told())
    assert made.by == GENESIS.attest
    again = attestation_of(made.block().data)
    assert check_verdict(again, GENESIS) == msgspec.structs.replace(FOUND, at=5_000)
    assert subject_of(again, GENESIS) == CID


@pytest.mark.parametrize(
    ("kind", "fields", "check", "subject"),
    [
        (APPROVAL, APPROVED, check_approval, CID),
        (ADOPTION, ADOPTED, check_adoption, CID),
        (TAKEN, TOOK, check_taken, WORD),
        (OUTCOME, ENDED, check_outcome, WORD),
    ],
)
def test_the_others_hold_too(kind, fields, check, subject):
    made = sign(kind, fields)
    assert check(made, GENESIS).at == 5_000
    assert subject_of(made, GENESIS) == subject
    with pytest.raises(ProofInvalid):
        check(made, check_genesis(THEIRS.record))
    forged = make(OTHER, "attest", kind, {**fields, "at": 5_000})
    with pytest.raises(ProofInvalid):
        check(forged, GENESIS)
    changed = msgspec.structs.replace(made, fields={**made.fields, "at": 5_001})
    with pytest.raises(ProofInvalid, match="signature"):
        check(changed, GENESIS)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (VERDICT, told() | {"word": "yes"}),
        (VERDICT, told() | {"extra": "x"}),
        (VERDICT, told() | {"trial": "1"}),
        (VERDICT, told() | {"candidate": "no cid"}),
        (APPROVAL, APPROVED | {"answer": "maybe"}),
        (APPROVAL, APPROVED | {"door": "window"}),
        (APPROVAL, APPROVED | {"diff": ""}),
        (APPROVAL, APPROVED | {"who": "x" * 1001}),
        (ADOPTION, ADOPTED | {"approvals": []}),
        (ADOPTION, ADOPTED | {"tag": "../v1"}),
        (ADOPTION, ADOPTED | {"previous": "v0.2.0"}),
        (ADOPTION, ADOPTED | {"version": "main"}),
        (TAKEN, TOOK | {"tag": "0.2"}),
        (TAKEN, TOOK | {"tree": ""}),
        (TAKEN, TOOK | {"previous": ""}),
        (OUTCOME, ENDED | {"outcome": "fine"}),
    ],
)
def test_what_is_malformed_is_not_signed(kind, fields):
    with pytest.raises((ProofInvalid, Refused)):
        sign(kind, fields)


def test_the_signer_dates_it_itself():
    with pytest.raises(Refused, match="dates"):
        sign(APPROVAL, APPROVED | {"at": 1})
