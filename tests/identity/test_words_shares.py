"""Shares: any three of five restore, two do not, and sets do not mix."""

import itertools

import pytest
from embit.bip39 import mnemonic_from_bytes
from embit.slip39 import Share, ShareSet
from embit.wordlists.slip39 import SLIP39_WORDS
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.errors import IdentityInvalid
from hermes.identity.shares import join, split

SECRET = bytes(range(100, 132))
SHARES = split(SECRET, 3, 5)


def test_any_three_of_five_restore_in_any_order():
    assert len(set(SHARES)) == 5
    for three in itertools.permutations(SHARES, 3):
        assert join(three) == SECRET
    assert join(SHARES) == SECRET


def test_two_are_refused_whichever_they_are():
    for two in itertools.combinations(SHARES, 2):
        with pytest.raises(IdentityInvalid, match="it takes 3 shares of this set, there are 2"):
            join(two)


def test_one_twice_is_not_two():
    with pytest.raises(IdentityInvalid, match="twice"):
        join([SHARES[0], SHARES[1], SHARES[1].upper()])


def _same_id(secret, calls):
    """A set that chance gave the identifier 7, as one in 32,768 gets."""

    def randint(least, most):
        calls.append(most)
        return 7 if most == 32767 else (len(calls) * 37) % (most + 1)

    return ShareSet.generate_shares(mnemonic_from_bytes(secret), 3, 5, randint=randint)


def test_two_sets_do_not_mix():
    other = split(SECRET, 3, 5)
    if Share.parse(other[0]).id == Share.parse(SHARES[0]).id:
        other = split(SECRET, 3, 5)
    with pytest.raises(IdentityInvalid, match="not all of one set"):
        join([*SHARES[:2], other[2]])


def test_two_sets_of_one_identifier_do_not_mix_either():
    one, two = _same_id(SECRET, []), _same_id(bytes(range(32)), [1, 2, 3])
    assert join(one[:3]) == SECRET
    assert join(two[1:4]) == bytes(range(32))
    with pytest.raises(IdentityInvalid, match="of two sets"):
        join([*one[:2], two[2]])


def test_mistakes_are_named_by_position_and_never_shown():
    words = SHARES[1].split()
    with pytest.raises(IdentityInvalid) as unknown:
        join([SHARES[0], " ".join([*words[:4], "hunter2", *words[5:]]), SHARES[2]])
    assert str(unknown.value) == "not in the word list: share 2, word 5"
    with pytest.raises(IdentityInvalid, match="share 3 has 32 words, it takes 33"):
        join([SHARES[0], SHARES[1], " ".join(SHARES[2].split()[1:])])
    swapped = " ".join([*words[:6], words[7], words[6], *words[8:]])
    if swapped != SHARES[1]:
        with pytest.raises(IdentityInvalid, match=r"share 1 is miswritten") as caught:
            join([swapped, SHARES[0], SHARES[2]])
        assert caught.value.__cause__ is None


def test_a_share_may_not_ask_for_hours():
    """An exponent of 31 would iterate the cipher ten thousand times two to the 31st."""
    greedy = [Share.parse(one) for one in SHARES[:3]]
    for one in greedy:
        one.exponent = 31
    with pytest.raises(IdentityInvalid, match="share 1 is of a kind that Hermes does not make"):
        join([one.mnemonic() for one in greedy])


@pytest.mark.parametrize(("need", "total"), [(0, 5), (1, 5), (6, 5), (3, 17), (-1, -1)])
def test_no_set_that_guards_nothing(need, total):
    with pytest.raises(IdentityInvalid, match="from 2 to 16"):
        split(SECRET, need, total)


def test_no_shares_of_a_secret_of_another_size():
    with pytest.raises(IdentityInvalid, match="32 bytes"):
        split(bytes(16), 2, 3)


@settings(max_examples=60)
@given(
    st.lists(
        st.lists(st.sampled_from(SLIP39_WORDS), min_size=33, max_size=33).map(" ".join)
        | st.text(max_size=60),
        max_size=20,
    )
)
def test_anything_else_is_refused_with_our_error(texts):
    with pytest.raises(IdentityInvalid):
        join(texts)
