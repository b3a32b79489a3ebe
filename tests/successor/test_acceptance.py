"""The stage that decides, without boxes: what counts as alike, what is asked, what must hold."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.core.request import TurnRequest
from hermes.errors import Usage
from hermes.gateway.runner import Runner
from hermes.successor.judge.alike import Intended, Plain, differences, read_intended, undeclared
from hermes.successor.judge.drive import Answer
from hermes.successor.judge.growth import Growth
from hermes.successor.judge.inputs import Inputs, Known, script_text
from hermes.successor.judge.invariants import kept, pages, stream
from hermes.testing.door import ScriptedDoor

A, B = ({"hits": [{"snippet": text}]} for text in "ab")
IDS = (
    "0189a000-0000-7000-8000-00000000000a", "0189b000-0000-7000-8000-00000000000b",
    "0189c000-0000-7000-8000-00000000000c", "0189d000-0000-7000-8000-00000000000d",
)  # fmt: skip
RAN = ("tool_started", "tool_finished")
ORDER = TurnRequest(turn_id="", text="", cwd="/p", root="/p", model="ember", typed=0)
SWINGS = [  # the same code after its fourth kill, at a thousand messages
    [(kib, 0) for kib in one]
    for one in (
        (130_208, 126_924, 133_060, 131_964, 145_064, 134_012, 133_016, 137_748, 148_004, 156_204,
         139_768),
        (127_932, 127_004, 127_200, 132_536, 144_092, 133_068, 135_252, 143_660, 160_496, 155_536,
         157_900),
    )
]  # fmt: skip
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def plain(events=(), result=None, by=None):
    return (by or Plain()).of(Answer(result, events=list(events)))


def event(kind, **more):
    return {"type": kind} | more


def turn(*inner, denied=0):
    events = [event("turn_started"), *inner, event("turn_finished", denied=denied)]
    return Answer({"type": "turn_finished", "denied": denied}, failed=False, events=events)


def call(number, *kinds, **more):
    return [event(kind, call_id=f"c{number}", **more) for kind in kinds]


@given(TREES, TREES)
def test_only_the_same_is_without_a_difference(one, other):
    assert list(differences(one, one)) == []
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert bool(list(differences(one, other))) != same


def test_ids_are_their_order_and_times_their_form():
    here = {
        "id": IDS[0],
        "beside": [IDS[1], IDS[0]],
        "at": "2026-11-21T17:22:05.772Z",
        "salt": "a1",
    }
    there = {"id": IDS[2], "beside": [IDS[3], IDS[2]], "at": "2027-01-01T00:00:00Z", "salt": "b2"}
    assert plain(result=here) == plain(result=there)
    assert plain(result=here) != plain(result=there | {"beside": [IDS[2], IDS[3]]})
    for other in ("yesterday", "2027-01-01"):
        assert plain(result=here) != plain(result=there | {"at": other})
    assert plain(result=here) != plain(result=there | {"salt": 5})


def test_midnight_may_lie_between_two_answers():
    def differ(*days):
        said = [plain(result=f"{day} user: quiet river") for day in days]
        return bool([*differences(*said)])

    assert not differ("2026-12-31", "2027-01-01")
    assert not differ("2026-11-01 2026-11-02", "2026-11-02 2026-11-02")
    assert differ("2026-12-31", "2026-11-01")
    assert differ("2026-11-01", "12026-11-01")
    assert differ("2026-11-01", "2026-11-01 2026-11-01")
    assert differ("2026-13-40", "2026-13-41")


def test_an_id_stays_itself_from_one_answer_to_the_next():
    parent, candidate = Plain(), Plain()
    for by, first, second in ((parent, 0, 1), (candidate, 2, 3)):
        plain(result=[IDS[first], IDS[second]], by=by)
    assert plain(result=IDS[0], by=parent) == plain(result=IDS[2], by=candidate)
    assert plain(result=IDS[0], by=parent) != plain(result=IDS[3], by=candidate)


def test_text_is_one_however_it_was_cut_and_reads_may_cross():
    cut = [event("text_delta", text="good "), event("text_delta", text="morning")]
    assert plain(cut) == plain([event("text_delta", text="good morning")])
    called = call(1, "tool_called") + call(2, "tool_called")
    second = call(2, *RAN)
    one = [*called, *call(1, RAN[0]), *second, *call(1, RAN[1])]
    other = [*called, *call(1, *RAN), *second]
    assert plain(one) == plain(other)
    assert plain(one) != plain(other[:-1])


@pytest.mark.parametrize(
    ("line", "parent", "candidate", "covered"),
    [
        ("runner.search hits.*.snippet any", A, B, True),
        ("runner.search hits.*.cid any", A, B, False),
        ("runner.chat hits any", {"hits": 1}, {"hits": 2}, False),
        ("* usage.* less", {"usage": {"tokens": 9}}, {"usage": {"tokens": 8}}, True),
        ("* usage.* less", {"usage": {"tokens": 9}}, {"usage": {"tokens": 10}}, False),
        ("* usage.* less", {"usage": {"tokens": 9}}, {"usage": {"tokens": "8"}}, False),
        ("* new added", {}, {"new": 1}, True),
        ("* new added", {"new": 1}, {"new": 2}, False),
        ("* old removed", {"old": 1}, {}, True),
    ],
)  # fmt: skip
def test_a_declared_difference_and_no_other_is_let_pass(line, parent, candidate, covered):
    intended = read_intended(f"# why\n{line}  # because\n")
    assert (undeclared("runner.search", parent, candidate, intended) is None) == covered
    assert undeclared("runner.search", parent, candidate, ()) is not None


def test_declarations_that_cannot_be_read():
    assert read_intended("") == ()
    assert read_intended("a b more") == (Intended("a", "b", "more"),)
    for text in ("a b", "a b sometimes", "a b any more"):
        with pytest.raises(Usage):
            read_intended(text)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (turn(*call(1, "tool_called", "tool_started", "tool_finished")), ""),
        (turn(*call(1, "tool_called"), *call(1, "tool_finished", denied=True), denied=1), ""),
        (Answer(failed=True), ""),
        (Answer(events=[], result={}), "beginning"),
        (turn(*call(1, "tool_called", "tool_started")), "without an end"),
        (turn(*call(1, "tool_called")), "without a result"),
        (turn(*call(1, "tool_started", "tool_finished")), "nobody asked"),
        (turn(*call(1, "tool_called", "tool_called", "tool_finished")), "twice"),
        (turn(*call(1, "tool_called", RAN[0]), *call(1, RAN[1], denied=True), denied=1), "ran"),
        (turn(*call(1, "tool_called"), *call(1, "tool_finished", denied=True)), "counted"),
        (turn(event("turn_finished")), "more than one"),
        (Answer({"type": "turn_failed"}, events=turn().events), "last event"),
    ],
)  # fmt: skip
def test_the_grammar_of_a_turn(answer, says):
    found = stream(answer)
    assert says in found
    assert bool(found) == bool(says)


class Served:
    """The real runner's pages of one conversation; `spoil` changes a page as a fault would."""

    def __init__(self, texts, spoil=lambda page, offset, limit: page):
        messages = [{"role": "user", "parts": [{"text": text}]} for text in texts]
        told = {
            "conversations.show": lambda **asked: {"messages": list(messages)},
            "conversations.search": lambda **asked: [asked["query"]],
        }
        self.names = {}
        self._runner, self._spoil = Runner(ScriptedDoor(answers=told), ORDER), spoil

    async def calls(self, calls):
        answers = []
        for one in calls:
            result = await self._runner.call(one.tool, one.arguments, None)
            if "messages" in result:
                asked = (one.arguments["offset"], one.arguments["limit"])
                result["messages"] = self._spoil(result["messages"], *asked)
            answers.append(Answer(result))
        return answers


@pytest.mark.parametrize("size", [0, 1, 7, 8, 499, 500, 501, 503, 504, 532, 1_700])
async def test_a_conversation_of_any_size_is_read_whole_and_in_pages(size):
    texts = [f"n{number}w" for number in range(size)]
    known = Known({"c1": texts} if size else {}, {"c1": size})
    assert await pages(Served(texts), known) == ""
    assert await kept(Served(texts), known) == ""


FAULTS = {
    "the last of a page is missing": lambda page, offset, limit: page[:-1] if offset else page,
    "a page is one too long": lambda page, offset, limit: [*page, *page[-1:]] if offset else page,
    "a page is turned round": lambda page, offset, limit: page[::-1] if offset == 7 else page,
}


@pytest.mark.parametrize("size", [15, 500, 600])
@pytest.mark.parametrize("fault", FAULTS)
async def test_pages_that_do_not_join_up_are_found(fault, size):
    served = Served([f"n{number}w" for number in range(size)], FAULTS[fault])
    assert await pages(served, Known({}, {"c1": size})) == "pages do not join up"


def test_the_same_seed_asks_the_same():
    def rounds(seed):
        inputs = Inputs(random.Random(seed))
        asked = []
        for _ in range(5):
            turns, questions = inputs.round()
            for op in turns:
                inputs.known.take(op, {"turn_id": "x"})
            asked.append((turns, questions))
        return asked

    assert rounds(1) == rounds(1) != rounds(2)
    for turns, questions in rounds(1):
        assert all(op.changes and json.loads(script_text(op.script[:1])) for op in turns)
        assert not any(op.changes for op in questions)


@pytest.mark.parametrize(
    ("parent", "candidate", "says"),
    [
        ([(80_000, 100)] * 9, [(80_000, 110)] * 9, ""),
        ([(80_000 + 900 * n, 0) for n in range(9)], [(80_000 + 950 * n, 0) for n in range(9)], ""),
        ([(80_000, 0)] * 9, [(80_000 + 900 * n, 0) for n in range(9)], "memory grows"),
        ([(80_000, 0)] * 9, [(80_000 + 9_000 * (n in (4, 5, 7)), 0) for n in range(9)], ""),
        (SWINGS[0], SWINGS[1], ""),
        (SWINGS[1], SWINGS[0], ""),
        ([(80_000, 0)] * 9, [(600_000, 0)] * 9, "ceiling"),
        ([(0, 100 * n) for n in range(9)], [(0, 300 * n) for n in range(9)], "slower"),
        ([(0, 100 * n) for n in range(9)], [(0, 100 * n + 500 * (n > 4)) for n in range(9)], ""),
    ],
)
def test_growth_is_against_the_parents(parent, candidate, says):
    growth = Growth()
    found = ""
    for one, other in zip(parent, candidate, strict=True):
        found = found or growth.take(*({"kib": kib, "ms": ms} for kib, ms in (one, other)))
    assert says in found
    assert bool(found) == bool(says)
