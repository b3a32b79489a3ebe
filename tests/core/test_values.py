"""Ids, times, messages and events."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.core.canonical import encode
from hermes.core.clock import from_rfc3339, rfc3339
from hermes.core.event import ToolCalled, TurnFinished, Usage, from_plain, is_final, to_plain
from hermes.core.ids import is_uuid, uuid7
from hermes.core.message import Message, Text, ToolCall, ToolResult, block_of, message_of

_text = st.text(st.characters(codec="utf-8"))
_part = st.one_of(
    st.builds(Text, _text),
    st.builds(ToolCall, id=_text, name=_text, arguments=_text),
    st.builds(
        ToolResult,
        call_id=_text,
        name=_text,
        text=_text,
        ok=st.booleans(),
        denied=st.booleans(),
        truncated=st.booleans(),
    ),
)
_message = st.builds(
    Message,
    conversation=_text,
    session=_text,
    turn=_text,
    role=st.sampled_from(["user", "assistant", "tool", "system"]),
    parts=st.lists(_part, max_size=4).map(tuple),
    at=st.integers(0, 2**53),
    node=_text,
    salt=_text,
    parents=st.lists(st.binary().map(lambda b: encode(b.hex()).cid), max_size=2).map(tuple),
    raw=_text,
)


@given(_message)
def test_a_message_survives_its_block(message):
    assert message_of(block_of(message).data) == message


@given(_message, _text)
def test_another_word_is_another_name(message, salt):
    other = msgspec.structs.replace(message, salt=salt)
    assert (block_of(other).cid == block_of(message).cid) == (other == message)


@pytest.mark.parametrize("data", [b"", b"\xff", encode({"t": "x"}).data, encode([1]).data])
def test_bytes_that_are_no_message_are_refused(data):
    with pytest.raises(ValueError, match=r"."):
        message_of(data)


def test_uuids_are_version_7_and_sort_by_time():
    made = [uuid7() for _ in range(50)]
    assert all(is_uuid(text) and text[14] == "7" and text[19] in "89ab" for text in made)
    assert len(set(made)) == 50
    assert [text[:13] for text in made] == sorted(text[:13] for text in made)


@given(st.integers(0, 4_000_000_000_000))
def test_times_survive_their_text(ms):
    assert from_rfc3339(rfc3339(ms)) == ms


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="zone"):
        from_rfc3339("2026-01-01T00:00:00")


def test_events_survive_their_json():
    head = {"conversation_id": "c", "turn_id": "t", "at": 1_700_000_000_123}
    for event in (
        ToolCalled(**head, call_id="1", name="Bash", arguments={"command": "ls"}, effect="read"),
        TurnFinished(**head, text="done", usage=Usage(steps=2)),
    ):
        plain = msgspec.json.decode(msgspec.json.encode(to_plain(event)))
        assert plain["type"] in {"tool_called", "turn_finished"}
        assert plain["at"] == "2023-11-14T22:13:20.123Z"
        assert from_plain(plain) == event
        assert is_final(event) == (plain["type"] == "turn_finished")
