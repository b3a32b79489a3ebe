"""24 words: there and back, and every mistake named by its position only."""

import pytest
from embit.wordlists.bip39 import WORDLIST
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.errors import IdentityInvalid
from hermes.identity.words import secret_of, words_of

SECRETS = st.binary(min_size=32, max_size=32)
WORDS = words_of(b"\x21" * 32)


@given(SECRETS)
def test_every_secret_comes_back(secret):
    words = words_of(secret)
    assert len(words) == 24
    assert secret_of(" ".join(words)) == secret
    assert secret_of("\n" + "\t ".join(words).upper() + "\n") == secret


def test_unknown_words_are_named_by_position_and_never_shown():
    words = list(words_of(b"\x05" * 32))
    words[2], words[23] = "hunter2", "correcthorse"
    with pytest.raises(IdentityInvalid) as caught:
        secret_of(" ".join(words))
    assert str(caught.value) == "not in the word list: word 3, 24"
    assert not any(word in str(caught.value) for word in words if len(word) > 4)
    assert caught.value.__context__ is None


def test_many_unknown_words_do_not_make_a_long_error():
    with pytest.raises(IdentityInvalid, match=r"word 1, 2, 3, 4, 5 and 19 more$"):
        secret_of("xyzzy " * 24)


@pytest.mark.parametrize("count", [0, 12, 23, 25, 48])
def test_a_wrong_number_of_words(count):
    with pytest.raises(IdentityInvalid, match=f"there are {count} words, it takes 24"):
        secret_of(" ".join((WORDS * 2)[:count]))


@settings(max_examples=200)
@given(SECRETS, st.integers(0, 23), st.sampled_from(WORDLIST))
def test_a_wrong_word_is_noticed_or_means_another_secret(secret, position, word):
    words = list(words_of(secret))
    changed = words[position] != word
    words[position] = word
    try:
        found = secret_of(" ".join(words))
    except IdentityInvalid as error:
        assert changed
        said = str(error)
        assert said.startswith("the words do not fit together")
    else:
        # 8 bits of checksum: one wrong word in 256 passes, and the keys' check finds it.
        assert (found != secret) == changed


def test_two_words_that_changed_places():
    words = list(words_of(bytes(range(32))))
    words[3], words[4] = words[4], words[3]
    with pytest.raises(IdentityInvalid, match="two changed places"):
        secret_of(" ".join(words))


@given(st.text(max_size=300))
def test_any_text_is_refused_with_our_error(text):
    with pytest.raises(IdentityInvalid):
        secret_of(text)


def test_a_book_is_refused_unread():
    with pytest.raises(IdentityInvalid, match="too long"):
        secret_of("abandon " * 1_000_000)


def test_only_32_bytes_have_24_words():
    with pytest.raises(IdentityInvalid, match="32 bytes"):
        words_of(bytes(16))
