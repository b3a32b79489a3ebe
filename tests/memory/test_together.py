"""What was said of one thing at several times, in words that no rule knows, is one hit."""

import pytest

from hermes.core.ids import Cid
from hermes.memory.historian import Historian
from hermes.memory.ranking import folded, fused
from hermes.memory.said import Found, Said
from tests.memory.person import Nobody
from tests.memory.talk import DAY, NOW, PROJECT, lines, say


async def test_what_has_changed_since_leads_and_the_older_stands_behind_it(store, dial):
    await say(store, dial, "The ballet is at 16:10.", "Ballet was pushed to 17:55.")
    (line,) = await lines(store, dial, "when is the ballet?")
    assert line.startswith("said 2026-11-17: Ballet was pushed to 17:55. (earlier: said")
    assert line.endswith("2026-11-16: The ballet is at 16:10.)")


@pytest.mark.parametrize(
    ("first", "then", "question"),
    [
        (
            "The tool library opens at nine.",
            "The tool library closes at six.",
            "when does the tool library open?",
        ),
        (
            "The night tram leaves at 21:40.",
            "The night tram arrives at 23:05.",
            "when does the night tram leave?",
        ),
        (
            "The loom room is warmed with pellets.",
            "No, 4417 unlocks the loom room.",
            "what is the loom room warmed with?",
        ),
    ],
)
async def test_what_may_hold_as_well_stands_behind_what_fits_better(
    store, dial, first, then, question
):
    await say(store, dial, first, then)
    assert await lines(store, dial, question) == [
        f"said 2026-11-16: {first} (later: said 2026-11-17: {then})"
    ]


@pytest.mark.parametrize(
    ("first", "then", "question"),
    [
        (
            "The tenor bench stands left.",
            "The alto bench now stands right.",
            "where does the tenor bench stand?",
        ),
        (
            "The head beekeeper is Ines.",
            "The head beekeeper's deputy is Tom.",
            "who is the head beekeeper?",
        ),
        ("Olaf lives in Bergen.", "Olaf turns 52 in May.", "where does Olaf live?"),
    ],
)
async def test_what_is_about_something_else_leaves_it_alone(store, dial, first, then, question):
    await say(store, dial, first, then)
    assert (await lines(store, dial, question))[0] == f"said 2026-11-16: {first}"


async def test_a_memory_stands_behind_a_sentence_that_changes_it(store, dial):
    dial.now -= 9 * DAY
    await store.memory.add(PROJECT, "fact", "Our insurance broker is Helvetia")
    await say(store, dial, "We left Helvetia for Nordlicht as insurance broker.")
    (line,) = await lines(store, dial, "who is our insurance broker?")
    assert "as insurance broker. (earlier: Our insurance broker is Helvetia)" in line


async def test_a_superseded_memory_is_not_shown_in_other_words_of_the_person(store, dial):
    await say(store, dial, "again: the hosting provider is Hetzner")
    old = await store.memory.add(PROJECT, "decision", "the hosting provider is Hetzner")
    await store.memory.supersede(old, "rooms are let from Linode")
    dial.now += DAY
    assert await lines(store, dial, "who is the hosting provider?") == []


async def test_what_is_said_to_be_back_is_shown_though_a_memory_of_it_is_over(store, dial):
    old = await store.memory.add(PROJECT, "decision", "the hosting provider is Hetzner")
    await store.memory.supersede(old, "rooms are let from Linode")
    await say(store, dial, "Actually, the hosting provider is Hetzner.")
    dial.now += DAY
    (line,) = await lines(store, dial, "who is the hosting provider?")
    assert line.endswith("Actually, the hosting provider is Hetzner.")


@pytest.mark.parametrize(
    "text",
    [
        "Search queries run against the spruce index.",
        "Test data lives in the spruce index.",
        "Release notes go to the spruce index.",
        "There is a spruce index on the basement server.",
    ],
)
async def test_a_noun_that_looks_like_an_order_is_none(store, dial, text):
    await say(store, dial, text)
    assert await lines(store, dial, "what is the spruce index?") == [f"said 2026-11-17: {text}"]


@pytest.mark.parametrize(
    "text",
    [
        "Search the spruce index for gaps.",
        "Copy what is in the spruce index to disk.",
        "Test that the spruce index is sorted.",
        "There is no spruce index.",
    ],
)
async def test_an_order_is_no_statement(store, dial, text):
    await say(store, dial, text)
    assert await lines(store, dial, "what is the spruce index?") == []


def _said(name: str, score: float) -> Said:
    return Said(content=name, score=score, at=NOW, cid=Cid(name), session="s")


def test_what_is_together_stands_at_the_better_place_and_keeps_the_better_score():
    old, other, new, last = (_said(name, 1 / at) for at, name in enumerate("abcd", 1))
    heard = Found(behind={old.key: new.key, new.key: last.key}, outdated=frozenset([new.key]))
    first, second = folded([old, other, new, last], heard)
    assert first.content == "d"
    assert first.score == old.score
    assert first.others == (f"earlier: {old.line}",)
    assert second == other


def test_what_is_outdated_without_a_successor_in_hand_is_left_out():
    old, other = _said("a", 1.0), _said("b", 0.5)
    heard = Found(behind={old.key: (0, "elsewhere", "c")}, outdated=frozenset([old.key]))
    assert folded([old, other], heard) == [other]


def test_both_rankings_count():
    first, second, third = _said("a", 0.2), _said("b", 0.9), _said("c", 0.5)
    assert [one.content for one in fused([first], [second, third])] == ["b", "a", "c"]


async def test_forgetting_means_the_value_not_the_thing(store, dial):
    await say(
        store,
        dial,
        "Remember: the flour for our bread is emmer.",
        "Remember: the red lamp is from Gdansk.",
        "Forget that the bread is made of emmer.",
        "Forget that the red lamp is broken.",
    )
    await Historian(store, dial, Nobody(), 10).run(60)
    kept = [one.content for one in await store.memory.list(PROJECT)]
    assert kept == ["The red lamp is from Gdansk"]
