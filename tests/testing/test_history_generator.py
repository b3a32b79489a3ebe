"""The made-up past: is what the benchmark and the week are measured against itself right?"""

import re

import pytest

from hermes.store.store import Store
from hermes.testing.history.keep import Dial, keep, root_of
from hermes.testing.history.past import NOW, make
from hermes.testing.history.questions import questions
from hermes.testing.history.score import kept, right, says
from hermes.testing.history.values import Question


@pytest.fixture(scope="module", params=["first", "other"])
def past(request):
    return make(7, sessions=400, facts=90, projects=4, tables=request.param)


def texts_of(past, project, *, private=False):
    return [
        turn.text
        for session in past.sessions
        if session.project == project and session.private == private
        for turn in session.turns
    ]


def test_the_same_seed_makes_the_same_past(past):
    same = [make(7, sessions=400, facts=90, projects=4, tables=t) for t in ("first", "other")]
    assert past in same
    assert same[0] != same[1]
    assert make(8, sessions=400, facts=90, projects=4) not in same


def test_every_saying_is_typed_in_its_project_and_in_its_order(past):
    for fact in past.facts:
        said = texts_of(past, fact.project)
        places = [said.index(one.text) for one in fact.sayings]
        assert places, fact
        assert all(one.text in said for one in fact.sayings)
        last = [one for one in fact.sayings if one.style in {fact.style, "changed"}][-1]
        assert says(last.text, fact.words(fact.value)), last
        assert [one.session for one in fact.sayings] == sorted(o.session for o in fact.sayings)


def test_no_phrase_has_a_hole_left(past):
    words = [turn.text + turn.answer for session in past.sessions for turn in session.turns]
    words += [call.result for s in past.sessions for turn in s.turns for call in turn.calls]
    words += [one.text for one in questions(past)]
    assert not [text for text in words if re.search(r"\{\w\}", text)]


def test_values_of_a_project_are_told_apart(past):
    for project in range(past.projects):
        facts = [one for one in past.facts if one.project == project]
        baits = [one.bait for one in past.traps if one.project == project]
        values = [(v, one.component) for one in facts for v in one.values]
        assert len(set(baits)) == len(baits)
        assert not {value for value, _ in values} & set(baits)
        assert len(set(values)) == len(values)


def test_private_traps_are_said_in_private_alone(past):
    baits = [one for one in past.traps if one.where == "private"]
    assert baits
    for trap in baits:
        assert trap.text in texts_of(past, trap.project, private=True)
        assert not [t for t in texts_of(past, trap.project) if says(t, trap.words)]


def test_what_a_tool_says_is_in_its_results_only(past):
    for trap in past.traps:
        if trap.where != "tool":
            continue
        sessions = [one for one in past.sessions if one.project == trap.project]
        results = [c.result for one in sessions for turn in one.turns for c in turn.calls]
        assert [text for text in results if says(text, trap.words)]
        assert not [t for t in texts_of(past, trap.project) if says(t, trap.words)]


def test_every_kind_of_question_is_asked(past):
    asked = questions(past)
    assert {one.kind for one in asked} == {"single", "update", "multi", "temporal", "abstention"}
    for one in asked:
        assert bool(one.needs) == (one.kind != "abstention")
        assert not set(one.needs) & set(one.wrong)


def test_too_many_facts_or_too_few_sessions_are_refused():
    with pytest.raises(ValueError, match="sessions"):
        make(1, sessions=30, facts=4, projects=4)
    with pytest.raises(ValueError, match="facts"):
        make(1, sessions=400, facts=4_000, projects=4)


UPDATE = Question("update", 0, "", (("5433", "billing"),), (("8080", "billing"),), "")
NOBODY = Question("abstention", 0, "", (), (("8080",),), "")


@pytest.mark.parametrize(
    ("question", "texts", "answer"),
    [
        (UPDATE, ["billing: 5433"], True),
        (UPDATE, ["Billing moved from 8080 to 5433"], True),
        (UPDATE, ["billing: 5433", "billing: 8080"], True),
        (UPDATE, ["billing: 8080", "billing: 5433"], False),
        (UPDATE, ["search: 5433", "billing: 1"], False),
        (UPDATE, ["billing: 54330"], False),
        (UPDATE, [], False),
        (NOBODY, ["anything"], True),
        (NOBODY, ["port 8080"], False),
        (NOBODY, [], True),
    ],
)
def test_an_answer_is_judged(question, texts, answer):
    assert right(question, texts) is answer


def test_memories_are_judged(past):
    fact = next(f for f in past.facts if f.fate == "kept" and len(f.values) > 1)
    trap = next(t for t in past.traps if t.project == fact.project)
    said = " ".join(fact.words(fact.value))
    old = " ".join(fact.words(fact.values[0]))
    place = fact.project
    texts = [said, said, old, " ".join(trap.words), "the sea is blue", past.secrets[0]]
    found = kept(past, [(place, text) for text in texts])
    assert (found.memories, found.true, found.doubles, found.stale) == (6, 2, 1, 1)
    assert sum(found.baits.values()) == 1
    assert found.secrets == 1
    assert found.junk == ("the sea is blue", past.secrets[0])
    assert found.precision == 2 / 6


@pytest.fixture(scope="module")
def small():
    return make(3, sessions=40, facts=12, projects=2)


async def test_it_is_kept_as_real_turns_are(tmp_path, small):
    past = small
    dial = Dial()
    async with Store.open(tmp_path / "store.db", dial) as store:
        await keep(store, dial, past)
        assert dial.now_ms() == NOW
        listed = await store.conversations.list(limit=1_000)
        assert len(listed) == len(past.sessions)
        assert sum(one.private for one in listed) == sum(one.private for one in past.sessions)
        assert {one.root for one in listed} == {root_of(0), root_of(1)}
        assert not await store.verify()
        stored = []
        for one in listed:
            stored.append([m.message for m in await store.conversations.history(one.id)])
            assert {turn.state for turn in await store.turns.list(one.id)} == {"finished"}
        typed = sorted(m.text for talk in stored for m in talk if m.role == "user")
        assert typed == sorted(turn.text for one in past.sessions for turn in one.turns)
        results = sorted(m.text for talk in stored for m in talk if m.role == "tool")
        assert results == sorted(
            c.result for one in past.sessions for turn in one.turns for c in turn.calls
        )
        assert sorted(talk[0].at for talk in stored) == [one.at for one in past.sessions]
