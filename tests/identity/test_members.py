import hashlib

from hypothesis import given
from hypothesis import strategies as st

from hermes.identity.attest import make
from hermes.identity.keys import Keys
from hermes.identity.members import is_member, members_at

OWNER = Keys.from_secret(hashlib.sha256(b"owner").digest(), "regtest")
OTHER = Keys.from_secret(hashlib.sha256(b"other").digest(), "regtest")
KEY = OWNER.roles.owner
NODE = "ab" * 32


def member(at, since=0, until=0, keys=OWNER, role="owner"):
    fields = {"node": NODE, "roles": ["w"], "since": since, "until": until, "at": at}
    return make(keys, role, "hermes/member/1", fields)


def revoked(at, keys=OWNER, role="owner"):
    fields = {"node": NODE, "at": at, "reason": "lost"}
    return make(keys, role, "hermes/revoked/1", fields)


def state(statements, at):
    found = members_at(statements, KEY, at)
    assert is_member(statements, KEY, NODE, at) == any(one.state == "valid" for one in found)
    return found[0].state if found else None


def test_a_membership_has_its_times():
    acts = [member(5, since=10, until=20)]
    known = [(4, None), (5, "future"), (10, "valid"), (19, "valid"), (20, "expired")]
    assert [(at, state(acts, at)) for at, _ in known] == known


def test_the_newest_membership_counts():
    acts = [member(9, since=10, until=20), member(5, since=0, until=7)]
    assert state(acts, 6) == "valid"
    assert state(acts, 9) == "future"
    assert state(list(reversed(acts)), 12) == "valid"


def test_only_the_owners_word_counts():
    assert state([member(1, keys=OTHER)], 5) is None
    assert state([member(1, role="attest")], 5) is None
    assert state([member(1), revoked(2, keys=OTHER), revoked(2, role="nostr")], 5) == "valid"


@given(st.integers(1, 100), st.integers(1, 100), st.integers(1, 100), st.booleans())
def test_a_revocation_wins_whenever_it_was_signed(end, later, at, first):
    acts = [member(1), revoked(end), member(later)]
    if first:
        acts.reverse()
    assert state(acts, at) == ("revoked" if end <= at else "valid")
