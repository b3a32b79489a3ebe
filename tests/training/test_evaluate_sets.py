"""Generated sets: the same at every run, of what training never sees, and the tools on offer."""

import json
from zoneinfo import ZoneInfo

import msgspec
import pytest

from hermes.core.message import ToolCall
from hermes.core.model import Reply
from hermes.prompt.sections import IDENTITY
from hermes.scheduler.tools import scheduler_tools
from hermes.tools.schema import spec
from training.curriculum import conversations
from training.evaluate.offered import offered
from training.evaluate.score import judge
from training.evaluate.sets import GENERATED, case_at, requests

TURNS = [
    {"role": "system", "content": f"{IDENTITY}\n[MEMORY MARKER] Decision: tea."},
    {"role": "user", "content": "hello"},
    {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": "open a"},
    {"role": "assistant", "tool_calls": [{"name": "FileRead", "arguments": {"path": "a"}}]},
    {"role": "tool", "content": "x"},
    {"role": "assistant", "content": "a says:\nx"},
]


def test_the_tools_are_all_those_of_a_turn():
    specs = offered().specs
    assert [tool.name for tool in specs] == [
        *("FileRead", "ListDir", "Grep", "Glob", "FileWrite", "FileEdit", "Bash", "Git"),
        *("Remember", "Recall", "SessionSearch", "Status", "Schedule", "Jobs"),
    ]
    assert list(offered().arguments) == [tool.name for tool in specs]


def test_the_scheduler_s_tools_are_as_the_scheduler_has_them():
    theirs = scheduler_tools(None, ZoneInfo("UTC"))
    assert offered().specs[-2:] == tuple(spec(tool, terse=False) for tool in theirs)
    for tool in theirs:
        ours = offered().arguments[tool.name]
        assert [(f.name, f.type) for f in msgspec.structs.fields(ours)] == [
            (f.name, f.type) for f in msgspec.structs.fields(tool.arguments)
        ]


def test_a_conversation_gives_a_case_at_each_answer():
    assert requests(TURNS, calling=True) == [3]
    assert requests(TURNS, calling=False) == [1]
    idle, call, answer = (case_at(TURNS, place, "here") for place in (1, 3, 5))
    assert (idle.intent, idle.accept, len(idle.messages)) == ("none", ((),), 1)
    assert (call.intent, call.accept[0][0].args) == ("FileRead", {"path": "a"})
    assert (answer.intent, answer.said) == ("answer FileRead", "a says:\nx")
    assert {case.system for case in (idle, call, answer)} == {TURNS[0]["content"]}


@pytest.mark.parametrize("name", GENERATED)
def test_a_set_is_the_same_at_every_run(name):
    make, count = GENERATED[name]
    cases = make(30)
    assert cases == make(30)
    assert len(cases) == 30
    assert count >= 200
    assert make(10) == cases[:10]


def test_what_each_set_asks():
    made = {name: make(60) for name, (make, _) in GENERATED.items()}
    assert all(case.accept[0] and not case.said for case in made["values"] + made["phrasings"])
    assert all(case.accept == ((),) and not case.said for case in made["no-call"])
    assert all(case.said and case.messages[-1].role == "tool" for case in made["answers"])
    assert len({case.intent for case in made["values"]}) > 8


def test_training_does_not_hold_the_requests_of_a_set():
    trained = {m["content"] for c in conversations(1, 3_000) for m in c if m["role"] == "user"}
    for name in ("values", "phrasings"):
        asked = [case.asked for case in GENERATED[name][0](200)]
        assert sum(text in trained for text in asked) <= len(asked) * 0.05


@pytest.mark.parametrize("name", ["values", "phrasings"])
def test_the_right_calls_are_valid_and_judged_right(name):
    for case in GENERATED[name][0](100):
        verdict = judge(case, right(case))
        assert verdict.exact, case
        assert verdict.valid, case


def right(case):
    """The answer that a case wants."""
    calls = enumerate(case.accept[0])
    return Reply("", tuple(ToolCall(f"c{n}", c.tool, json.dumps(c.args)) for n, c in calls))
