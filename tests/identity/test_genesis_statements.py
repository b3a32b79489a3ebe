"""What follows a genesis: each statement by the right key, about the right thing, in its form."""

import msgspec
import pytest

from hermes.core.attestation import Attestation
from hermes.core.checkpoint import Checkpoint
from hermes.errors import ProofInvalid
from hermes.identity.attest import check, make
from hermes.identity.genesis import found
from hermes.identity.keys import Keys
from hermes.identity.statements import (
    ACCEPTED,
    HANDOFF,
    MEMBER,
    REVOKED,
    SOUL,
    check_accepted,
    check_handoff,
    check_member,
    check_revoked,
    check_soul,
)

OLD_KEYS = Keys.from_secret(b"\x71" * 32, "regtest")
NEW_KEYS = Keys.from_secret(b"\x72" * 32, "regtest")
OLD = found(OLD_KEYS, "aa" * 32, 1)
NEW = found(NEW_KEYS, "bb" * 32, 2, parent=OLD.cid)
OWNER = OLD_KEYS.roles.owner
NODE = NEW_KEYS.roles.nostr

SOUL_FIELDS = {"soul": "cc" * 32, "genesis": OLD.cid, "at": 5, "previous": ""}
MEMBER_FIELDS = {"node": NODE, "roles": ["peer", "witness"], "since": 10, "until": 20, "at": 9}
REVOKED_FIELDS = {"node": NODE, "at": 15, "reason": "sold"}
HANDOFF_FIELDS = {
    "old": OLD.cid,
    "new": NEW.cid,
    "soul": "bb" * 32,
    "verdict": "",
    "checkpoint": Checkpoint(OLD.name, 3, bytes(32)).text,
    "at": 30,
}


def _soul(**changes):
    return make(OLD_KEYS, "attest", SOUL, SOUL_FIELDS | changes)


def _member(**changes):
    return make(OLD_KEYS, "owner", MEMBER, MEMBER_FIELDS | changes)


def _handoff(**changes):
    return make(OLD_KEYS, "attest", HANDOFF, HANDOFF_FIELDS | changes)


def test_a_soul_is_attested():
    first = _soul().block().cid
    soul = check_soul(_soul(previous=first), OLD)
    assert (soul.soul, soul.genesis, soul.at) == ("cc" * 32, OLD.cid, 5)
    assert soul.previous == first


def test_a_member_for_a_time():
    member = check_member(_member(), OWNER)
    assert member.roles == ("peer", "witness")
    assert [member.holds(at) for at in (9, 10, 19, 20)] == [False, True, True, False]
    assert check_member(_member(until=0), OWNER).holds(10**15)
    for until in (10, 3):
        with pytest.raises(ProofInvalid, match="ends before it begins"):
            check_member(_member(until=until), OWNER)


def test_a_member_is_revoked():
    revoked = check_revoked(make(OLD_KEYS, "owner", REVOKED, REVOKED_FIELDS), OWNER)
    assert (revoked.node, revoked.at, revoked.reason) == (NODE, 15, "sold")


def test_a_handoff_is_signed_by_both():
    statement = _handoff()
    assert check_handoff(statement, OLD).new == NEW.cid
    accepted = make(NEW_KEYS, "attest", ACCEPTED, {"handoff": statement.block().cid, "at": 31})
    assert check_accepted(accepted, statement, NEW).at == 31


def test_a_handoff_to_itself_of_another_or_of_another_log_is_refused():
    for changes in ({"new": OLD.cid}, {"old": NEW.cid}):
        with pytest.raises(ProofInvalid, match="not from this instance to another"):
            check_handoff(_handoff(**changes), OLD)
    foreign = Checkpoint(NEW.name, 3, bytes(32)).text
    with pytest.raises(ProofInvalid, match="of another log"):
        check_handoff(_handoff(checkpoint=foreign), OLD)
    with pytest.raises(ProofInvalid, match="checkpoint is none"):
        check_handoff(_handoff(checkpoint="x"), OLD)


def test_an_acceptance_is_of_this_handoff_by_the_named_successor():
    statement = _handoff()
    other = _handoff(at=99)
    fields = {"handoff": statement.block().cid, "at": 31}
    with pytest.raises(ProofInvalid, match="another handoff"):
        check_accepted(make(NEW_KEYS, "attest", ACCEPTED, fields), other, NEW)
    with pytest.raises(ProofInvalid, match="by another key"):
        check_accepted(make(OLD_KEYS, "attest", ACCEPTED, fields), statement, NEW)
    third_keys = Keys.from_secret(b"\x73" * 32, "regtest")
    third = found(third_keys, "dd" * 32, 3)
    with pytest.raises(ProofInvalid, match="by another instance"):
        check_accepted(make(third_keys, "attest", ACCEPTED, fields), statement, third)


def test_a_soul_of_another_genesis_or_by_another_role_is_refused():
    with pytest.raises(ProofInvalid, match="of another genesis"):
        check_soul(_soul(genesis=NEW.cid), OLD)
    for role in ("owner", "nostr"):
        with pytest.raises(ProofInvalid, match="by another key"):
            check_soul(make(OLD_KEYS, role, SOUL, SOUL_FIELDS), OLD)
    with pytest.raises(ProofInvalid, match="by another key"):
        check_member(_member(), NEW_KEYS.roles.owner)


def test_one_kind_does_not_pass_for_another():
    with pytest.raises(ProofInvalid, match="not a statement hermes/soul/1"):
        check_soul(_handoff(), OLD)
    with pytest.raises(ProofInvalid, match="not a statement hermes/revoked/1"):
        check_revoked(_member(), OWNER)


@pytest.mark.parametrize(
    "changes",
    [
        {"node": NODE.upper()},
        {"node": NODE[:-1]},
        {"node": 5},
        {"roles": "peer"},
        {"roles": ["Peer"]},
        {"roles": ["peer\n"]},
        {"roles": ["a" * 33]},
        {"roles": [f"r{number}" for number in range(17)]},
        {"since": -1},
        {"since": True},
        {"at": 2**53},
        {"extra": ""},
    ],
)
def test_a_malformed_member_is_refused_though_well_signed(changes):
    statement = _member(**changes)
    check(statement)
    with pytest.raises(ProofInvalid, match="a statement hermes/member/1"):
        check_member(statement, OWNER)


def test_a_name_that_is_no_cid_is_refused():
    for bad in ("bafyrei" + "7" * 52, OLD.cid + "\n", OLD.cid.upper(), "x"):
        with pytest.raises(ProofInvalid):
            check_soul(_soul(previous=bad), OLD)


def test_nothing_can_be_changed_after_signing():
    statement = _member()
    for changed in (
        msgspec.structs.replace(statement, fields={**statement.fields, "until": 0}),
        msgspec.structs.replace(statement, kind=REVOKED),
        msgspec.structs.replace(statement, by=NEW_KEYS.roles.owner),
        msgspec.structs.replace(statement, signature="00" * 64),
        msgspec.structs.replace(statement, signature=""),
        msgspec.structs.replace(statement, by="00" * 32),
    ):
        with pytest.raises(ProofInvalid):
            check(changed)


def test_what_has_no_canonical_form_is_neither_signed_nor_checked():
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    for value in (1.5, 2**80, "\ud800", b"raw", deep, object()):
        with pytest.raises(ProofInvalid, match="no canonical form"):
            make(OLD_KEYS, "owner", MEMBER, {"x": value})
    for kind in ("soul", "hermes/soul/0", "hermes/Soul/1", "hermes/soul/1\n", ""):
        with pytest.raises(ProofInvalid, match="malformed"):
            make(OLD_KEYS, "owner", kind, {})
    with pytest.raises(ProofInvalid, match="malformed"):
        check(Attestation(MEMBER, OWNER.upper(), {}, "00" * 64))
