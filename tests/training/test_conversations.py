import json
import os
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.errors import DataInvalid
from training.conversations import LONGEST_LINE, parse, read_conversations

USER = {"role": "user", "content": "hi"}
ANSWER = {"role": "assistant", "content": "yes"}


def line(*messages, **more):
    return json.dumps({"messages": messages, **more}).encode()


def test_calls_are_read_in_both_shapes():
    plain = {"name": "FileRead", "arguments": {"path": "a"}}
    nested = {"id": "1", "function": {"name": "FileRead", "arguments": '{"path": "a"}'}}
    for call in (plain, nested):
        found = parse(
            line(USER, {"role": "assistant", "content": None, "tool_calls": [call]}), "f:1"
        )
        assert found.messages[1]["tool_calls"] == [plain]


def test_tools_may_be_a_list_or_its_text():
    tools = [{"type": "function", "function": {"name": "FileRead"}}]
    for given_tools in (tools, json.dumps(tools)):
        assert parse(line(USER, ANSWER, tools=given_tools), "").tools == tuple(tools)


def test_a_message_that_is_not_learnt_stays_so():
    found = parse(line(USER, ANSWER | {"loss": False}, ANSWER, score=3), "")
    assert [m.get("loss", True) for m in found.messages] == [True, False, True]


@pytest.mark.parametrize(
    ("poisoned", "said"),
    [
        (b"x", "Expecting value"),
        (b"[]", "no JSON object"),
        (b"{}", "`messages` is no list"),
        (line(), "`messages` is no list"),
        (line(USER), "no answer to learn from"),
        (line(USER, {"role": "root", "content": "x"}), "message 2 has no role"),
        (line({"role": "user", "content": ["x"]}, ANSWER), "message 1: its content is no text"),
        (line(USER, {"role": "assistant", "content": ""}), "without text or call"),
        (line(USER, {"role": "assistant", "tool_calls": [3]}), "names no tool"),
        (
            line(USER, {"role": "assistant", "tool_calls": [{"name": "x", "arguments": "[]"}]}),
            "are no object",
        ),
        (line(USER, {"role": "assistant", "tool_calls": {"a": 1}}), "are no list"),
        (b'{"messages": [{"role": "user", "content": "\\ud800"}]}', "no Unicode"),
        (
            line(
                USER,
                {"role": "assistant", "tool_calls": [{"name": "x", "arguments": {"a": "\ud800"}}]},
            ),
            "no Unicode",
        ),
        (b'{"messages": NaN}', "NaN is no JSON"),
        (b"[" * 100_000, "recursion"),
        (b"\xff\xfe{", "decode"),
        (b" " * LONGEST_LINE + b"{}", "longer than 8 MiB"),
    ],
)
def test_a_poisoned_line_is_named(tmp_path, poisoned, said):
    path = tmp_path / "data.jsonl"
    path.write_bytes(line(USER, ANSWER) + b"\n\n" + poisoned + b"\n")
    with pytest.raises(DataInvalid) as raised:
        read_conversations([path])
    assert raised.value.message.startswith(f"{path}:3: ")
    assert said in raised.value.message


def test_no_data_is_named(tmp_path):
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    with pytest.raises(DataInvalid, match=r"no conversation in .*empty\.jsonl"):
        read_conversations([empty])
    with pytest.raises(DataInvalid, match=r"gone\.jsonl cannot be read"):
        read_conversations([tmp_path / "gone.jsonl"])
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataInvalid, match="no regular file"):
        read_conversations([tmp_path / "pipe"])


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_line_is_read_or_refused(raw):
    with suppress(DataInvalid):
        assert parse(raw, "f:1").messages
