"""The free set: hand-written, wide, and not in the curriculum."""

import random

import pytest

from hermes.core.model import ChatMessage
from training.curriculum.frames import shipped
from training.curriculum.values import Values
from training.evaluate.cases import NO_CALL, PARALLEL, Case
from training.evaluate.leakage import leaked
from training.evaluate.offered import offered
from training.evaluate.sets import written_cases


def test_it_is_large_and_has_every_tool():
    cases = written_cases()
    assert len(cases) >= 500
    assert {*offered().arguments, NO_CALL, PARALLEL} <= {case.intent for case in cases}


def test_no_request_of_it_was_trained_on():
    assert [(case.where, frame.text) for case, frame in leaked(written_cases())] == []


def test_questions_that_a_result_answers():
    cases = written_cases("results")
    assert len(cases) >= 50
    assert all(case.words and case.messages[-1].role == "tool" for case in cases)


def case(text):
    return Case((ChatMessage("user", text),))


def test_a_leaked_phrasing_is_found():
    values = Values(random.Random(5), held=True)
    frames = [f for f in shipped() if not f.held and "<" not in f.text]
    frames = [f for f in frames if len(f.text.split()) > 14][:40]
    cases = [case(values.expand(frame.text).upper() + "!") for frame in frames]
    assert len(cases) == 40
    assert [found.asked for found, _ in leaked(cases)] == [one.asked for one in cases]


@pytest.mark.parametrize("text", ["read notes.txt", "the heron stood in the shallow end, thinking"])
def test_what_anybody_may_say_is_no_leak(text):
    assert leaked([case(text)]) == []
