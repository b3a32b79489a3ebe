"""What statements are about: the same in other words, and the contradiction."""

import pytest

from hermes.memory.subjects import key_of, subjects_of
from hermes.memory.values import corrects, look


def keys(text: str) -> dict[str, str]:
    return {one.key: one.value for one in subjects_of(text) if not one.key.startswith("do ")}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("We use MySQL for storage", "our database is PostgreSQL"),
        ("The API listens on port 8080", "use port 9090 for the API"),
        ("We indent with tabs", "Indentation here is two spaces"),
        ("Noor owns the billing service", "the billing service belongs to Ivo"),
        ("I live in Porto", "I live in Oslo"),
        ("I prefer tabs over spaces", "I prefer spaces over tabs"),
        ("The tests run with pytest", "we use unittest for tests"),
        ("The staging server is called heron", "The staging server is called orchid"),
        ("Wir verwenden MySQL als Datenbank", "Our database is SQLite"),
    ],
)
def test_other_words_and_another_value_contradict(one, other):
    mine, theirs = keys(one), keys(other)
    shared = mine.keys() & theirs.keys()
    assert shared, (mine, theirs)
    assert any(mine[key] != theirs[key] for key in shared)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The API listens on port 8080", "The worker listens on port 9090"),
        ("We use pytest for tests", "We also use hypothesis for tests"),
        ("Use Redis for the cache", "Use PostgreSQL for storage"),
        ("The docs are written in English", "The docs live in docs/"),
        ("The API is versioned by header", "The API is written in Go"),
        ("My sister lives in Lyon", "My brother lives in Rome"),
    ],
)
def test_other_things_do_not(one, other):
    mine, theirs = keys(one), keys(other)
    assert not [key for key in mine.keys() & theirs.keys() if mine[key] != theirs[key]]


def test_never_contradicts_always():
    always = {one.key: one.value for one in subjects_of("Always squash commits")}
    never = {one.key: one.value for one in subjects_of("Never squash commits")}
    (key,) = always.keys() & never.keys()
    assert always[key] != never[key]


def test_the_order_of_words_makes_no_difference_but_not_does():
    assert key_of("use tabs for indentation") == key_of("for indentation, use tabs")
    assert key_of("use tabs") != key_of("do not use tabs")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("4896 unlocks the orchard", "The lock of the orchard stands at 6011", True),
        ("4896 unlocks the orchard", "The lock of the kiln stands at 6011", False),
        ("Airing the attic takes 20 minutes", "The attic's lock stands at 6011", False),
        ("Kasimir looks after the kiln", "The kiln is Ottilie's job", True),
        ("The workshop is Anna's job", "The cellar is Bob's job", False),
        ("Anna lives in Oslo", "You reach Anna in Rome", True),
        ("Anna lives in Oslo", "Bob lives in Rome", False),
    ],
)
def test_a_correction_means_the_same_thing_with_a_value_of_the_same_kind(one, other, expected):
    assert corrects(look(one), look(other)) is expected
