"""Files of cases: what is understood, and what is said of a line that is none."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.errors import Usage
from training.evaluate.cases import BadCases, Call, parse_cases, read_cases, spread


def one(**line):
    (case,) = parse_cases(json.dumps(line), "my.jsonl")
    return case


def test_a_request_and_its_call():
    case = one(user="open a", tool="FileRead", args={"path": "a"}, accept=None)
    assert case.asked == "open a"
    assert case.accept == ((Call("FileRead", {"path": "a"}),),)
    assert (case.intent, case.where) == ("FileRead", "my.jsonl:1")


@pytest.mark.parametrize("tool", [None, "", "none", []])
def test_no_call_is_due(tool):
    case = one(user="hello", tool=tool, args=None)
    assert case.accept == ((),)
    assert case.intent == "none"


@pytest.mark.parametrize("tool", [["FileRead", "FileRead"], "FileRead"])
def test_several_calls(tool):
    case = one(user="open a and b", tool=tool, args=[{"path": "a"}, {"path": "b"}])
    assert case.accept == ((Call("FileRead", {"path": "a"}), Call("FileRead", {"path": "b"})),)
    assert case.intent == "parallel"


def test_tools_without_arguments():
    assert one(user="how are things", tool=["Jobs", "Status"]).accept == (
        (Call("Jobs", {}), Call("Status", {})),
    )


@pytest.mark.parametrize(
    ("further", "expected"),
    [
        ({"tool": "Git", "args": {"command": "status"}}, (Call("Git", {"command": "status"}),)),
        ({"command": "git  status"}, (Call("Bash", {"command": "git  status"}),)),
        ({"tool": None}, ()),
        (None, ()),
        ([{"command": "git st"}], (Call("Bash", {"command": "git st"}),)),
        (
            [{"tool": "Jobs"}, {"tool": "Status", "args": {}}],
            (Call("Jobs", {}), Call("Status", {})),
        ),
    ],
)
def test_further_right_answers(further, expected):
    case = one(user="status", tool="Bash", args={"command": "git status"}, accept=[further])
    assert case.accept == ((Call("Bash", {"command": "git status"}),), expected)


@pytest.mark.parametrize("wrapped", [True, False])
def test_an_answer_from_a_result(wrapped):
    call = {"name": "FileRead", "arguments": {"path": "a"}}
    written = {"id": "x", "function": call | {"arguments": '{"path": "a"}'}} if wrapped else call
    case = one(
        messages=[
            {"role": "system", "content": "[MEMORY MARKER] Decision: tea."},
            {"role": "user", "content": "what does a say"},
            {"role": "assistant", "content": None, "tool_calls": [written]},
            {"role": "tool", "content": "hello"},
        ],
        accept=["hello", "Hallo"],
    )
    assert case.words == ("hello", "Hallo")
    assert case.system == "[MEMORY MARKER] Decision: tea."
    assert case.intent == "answer FileRead"
    _, asked, result = case.messages
    assert json.loads(asked.calls[0].arguments) == {"path": "a"}
    assert result.call_id == asked.calls[0].id


def test_a_request_after_other_turns():
    case = one(
        messages=[
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "Hello."},
            {"role": "user", "content": "jobs?"},
        ],
        tool="Jobs",
    )
    assert case.accept == ((Call("Jobs", {}),),)
    assert [message.role for message in case.messages] == ["user", "assistant", "user"]


def test_blank_lines_marks_and_further_keys_are_passed_over():
    text = (
        '\ufeff\n{"user": "hi", "tool": null, "voice": "chatty"}\r\n\n{"user": "yo", "tool": ""}\n'
    )
    assert [case.where for case in parse_cases(text.removeprefix("\ufeff"), "f")] == ["f:2", "f:4"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "truncated"),
        ("[]", "no JSON object"),
        ("[" * 100_000, "f:2"),
        ('{"tool": "Jobs"}', "neither a text `user` nor a list `messages`"),
        ('{"user": " ", "tool": "Jobs"}', "neither"),
        ('{"user": "x", "tool": 3}', "no call: tool 3"),
        ('{"user": "x", "tool": "Bash", "args": "ls"}', "no call"),
        ('{"user": "x", "tool": ["Jobs", "Jobs"], "args": [{}]}', "2 tools and 1 args"),
        ('{"user": "x", "tool": "Jobs", "accept": ["Status"]}', "`accept` has no call"),
        ('{"user": "x", "tool": null, "accept": [{"path": "a"}]}', "`accept` has no call"),
        ('{"user": "x"}', "`accept` lists words"),
        ('{"user": "x", "accept": ["a", 1]}', "`accept` lists words"),
        ('{"messages": [{"role": "boss"}], "accept": "a"}', "unknown role 'boss'"),
        ('{"messages": [{"role": "user", "content": [1]}], "accept": "a"}', "is no text"),
        ('{"messages": [], "accept": "a"}', "its last message"),
        (
            '{"messages": [{"role": "assistant", "content": "a"}], "accept": "a"}',
            "its last message",
        ),
        (
            '{"messages": [{"role": "assistant", "tool_calls": [{"id": 1}]}], "accept": "a"}',
            "names no tool",
        ),
    ],
)
def test_a_bad_line_is_named(line, why):
    with pytest.raises(BadCases) as caught:
        parse_cases(f'{{"user": "fine", "tool": null}}\n{line}\n', "f")
    assert caught.value.message.startswith("f:2: ")
    assert why in caught.value.message
    assert isinstance(caught.value, Usage)


@given(st.text())
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(BadCases):
        assert all(case.messages for case in parse_cases(text, "f"))


def test_files(tmp_path):
    path = tmp_path / "mine.jsonl"
    with pytest.raises(BadCases, match=r"mine\.jsonl cannot be read: No such file"):
        read_cases(path)
    path.write_bytes(b"\xff\xfe{")
    with pytest.raises(BadCases, match="no UTF-8"):
        read_cases(path)
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(BadCases, match="holds no case"):
        read_cases(path)
    path.write_text('{"user": "señal?", "tool": null}', encoding="utf-8-sig")
    assert [case.asked for case in read_cases(path)] == ["señal?"]


def test_a_limit_keeps_every_group():
    cases = [one(user=f"{n}", tool="Bash" if n < 8 else "Jobs", args={}) for n in range(10)]
    few = spread(cases, 4, lambda case: case.intent)
    assert [case.asked for case in few] == ["0", "1", "8", "9"]
    assert spread(cases, 0, lambda case: case.intent) == cases
