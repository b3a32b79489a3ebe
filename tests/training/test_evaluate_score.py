"""Right and wrong answers, as the runtime would take them."""

import json

import pytest

from hermes.core.ids import CallId
from hermes.core.message import ToolCall
from hermes.core.model import ChatMessage, Reply
from training.evaluate.cases import Call, Case
from training.evaluate.score import Verdict, judge

ASK = (ChatMessage("user", "do it"),)


def called(*calls):
    made = (
        ToolCall(CallId(f"c{n}"), name, args if isinstance(args, str) else json.dumps(args))
        for n, (name, args) in enumerate(calls)
    )
    return Reply("", tuple(made))


def expecting(*calls, further=()):
    return Case(ASK, (tuple(Call(*call) for call in calls), *further))


READ = expecting(("FileRead", {"path": "a.txt"}))
GREP = expecting(("Grep", {"pattern": "x", "path": "."}))


@pytest.mark.parametrize(
    ("case", "reply"),
    [
        (READ, called(("FileRead", {"path": "a.txt"}))),
        (READ, called(("FileRead", {"path": "a.txt", "offset": 0}))),
        (READ, called(("FileRead", {"path": "a.txt", "limit": None}))),
        (GREP, called(("Grep", {"pattern": "x"}))),
        (expecting(("Grep", {"pattern": "x"})), called(("Grep", {"path": ".", "pattern": "x"}))),
        (
            expecting(("FileRead", {"path": "a", "limit": 20})),
            called(("FileRead", {"path": "a", "limit": "20"})),
        ),
        (expecting(("Jobs", {})), called(("Jobs", ""))),
        (
            expecting(("FileRead", {"path": "a"}), ("FileRead", {"path": "b"})),
            called(("FileRead", {"path": "b"}), ("FileRead", {"path": "a"})),
        ),
        (
            expecting(("Bash", {"command": "ls"}), further=((Call("ListDir", {}),),)),
            called(("ListDir", {"path": "."})),
        ),
        (expecting(("Jobs", {}), further=((),)), Reply("Which ones?")),
        (expecting(), Reply("Hello.")),
    ],
)
def test_right(case, reply):
    verdict = judge(case, reply)
    assert verdict == Verdict(exact=True, tool=True, called=bool(reply.calls))


@pytest.mark.parametrize(
    ("case", "reply", "tool", "valid"),
    [
        (READ, called(("FileRead", {"path": "a.txt "})), True, True),
        (READ, called(("FileRead", {"path": "A.txt"})), True, True),
        (READ, called(("FileRead", {"path": "a.txt", "limit": 5})), True, True),
        (READ, called(("FileRead", {"path": "a.txt", "mode": "r"})), True, False),
        (READ, called(("FileRead", {})), True, False),
        (READ, called(("FileRead", {"path": 3})), True, False),
        (READ, called(("FileRead", '{"path": "a.txt"')), True, False),
        (READ, called(("FileRead", '["a.txt"]')), True, False),
        (READ, called(("fileread", {"path": "a.txt"})), False, False),
        (READ, called(("Grep", {"pattern": "a.txt"})), False, True),
        (READ, Reply("", malformed="no end"), False, False),
        (READ, called(*[("FileRead", {"path": "a.txt"})] * 2), False, True),
        (expecting(), called(("Jobs", {})), False, True),
        (expecting(), Reply("", malformed="no end"), False, False),
        (
            expecting(("FileRead", {"path": "a"}), ("FileRead", {"path": "b"})),
            called(*[("FileRead", {"path": "a"})] * 2),
            True,
            True,
        ),
    ],
)
def test_wrong(case, reply, tool, valid):
    assert judge(case, reply) == Verdict(exact=False, tool=tool, called=True, valid=valid)


def test_silence_where_a_call_is_due():
    assert judge(READ, Reply("No.")) == Verdict(exact=False, tool=False)


def test_words():
    case = Case(ASK, words=("exit code 0", "fine"))
    assert judge(case, Reply("It went Fine.")).exact
    assert not judge(case, Reply("It failed.")).exact
    assert judge(case, called(("Jobs", {}))) == Verdict(exact=False, tool=False, called=True)


def test_the_very_words():
    case = Case(ASK, said="2 found: a, b")
    assert judge(case, Reply("2 found: a, b\n")).exact
    assert not judge(case, Reply("2 found: a, b, c")).exact
