import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.errors import ModelError, ModelGarbled
from hermes.models.chunks import Answer
from hermes.models.sse import EventStream
from hermes.testing.acts import chunk, event


def events(data: bytes, cuts: list[int]) -> list[bytes]:
    stream, found, place = EventStream(), [], 0
    while place < len(data):
        size = cuts[place % len(cuts)]
        found += stream.feed(data[place : place + size])
        place += size
    return found + stream.finish()


def answer(*deltas, finish="stop") -> Answer:
    made = Answer()
    for delta in deltas:
        made.take(chunk(delta).removeprefix(b"data: "))
    made.take(chunk({}, finish).removeprefix(b"data: "))
    return made


SENT = (
    b'\xef\xbb\xbf: hello\r\n\r\ndata: {"a": "\xf0\x9f\x98\x80"}\r\n\r\nevent: x\nid: 1\nretry: 5\n'
    b'data: {"b":\ndata:  1}\n\ndata:{}\r\rdata: [DONE]'
)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_events_are_the_same_wherever_bytes_are_cut(cuts):
    expected = [b'{"a": "\xf0\x9f\x98\x80"}', b'{"b":\n 1}', b"{}", b"[DONE]"]
    assert events(SENT, cuts) == expected


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_a_document_is_one_event(cuts):
    assert events(b'\n {"a": 1}\n\n', cuts) == [b'\n {"a": 1}\n\n']


@given(st.binary(max_size=60), st.lists(st.integers(1, 9), min_size=1, max_size=3))
def test_any_bytes_end_in_an_answer_or_our_error(data, cuts):
    made = Answer()
    try:
        for found in events(data, cuts):
            made.take(found)
    except ModelError:
        return
    assert made.calls == ()


KEYS = ["choices", "delta", "message", "content", "tool_calls", "function", "name", "arguments"]
KEYS += ["index", "id", "usage", "prompt_tokens", "timings", "finish_reason", "reasoning"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "delta",
                    "message",
                    "content",
                    "tool_calls",
                    "function",
                    "name",
                    "arguments",
                    "index",
                    "id",
                    "usage",
                    "prompt_tokens",
                    "timings",
                    "prompt_tokens_details",
                    "finish_reason",
                    "reasoning",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.lists(st.dictionaries(st.sampled_from(["choices", "usage", "timings"]), JSON), max_size=4)
)
def test_any_chunk_is_taken_or_refused(chunks):
    made = Answer()
    try:
        for one in chunks:
            made.take(msgspec.json.encode(one))
    except ModelError:
        return
    assert len({call.id for call in made.calls}) == len(made.calls)
    assert made.usage.prompt >= 0


def call(**fields):
    return {"tool_calls": [fields]}


@pytest.mark.parametrize(
    "deltas",
    [
        [
            call(index=0, id="a", function={"name": "F", "arguments": '{"x"'}),
            call(index=0, function={"arguments": ": 1}"}),
            call(index=1, id="b", function={"name": "G", "arguments": "{}"}),
        ],
        [  # every call is number 0
            call(index=0, id="a", function={"name": "F", "arguments": '{"x": 1}'}),
            call(index=0, id="b", function={"name": "G", "arguments": ""}),
        ],
        [  # no index, no id
            call(function={"name": "F", "arguments": '{"x"'}),
            call(function={"arguments": ": 1}"}),
            call(function={"name": "G"}),
        ],
        [  # the id and the name come with every delta
            call(index=0, id="a", function={"name": "F", "arguments": '{"x"'}),
            call(index=0, id="a", function={"name": "F", "arguments": ": 1}"}),
            call(index=1, id="b", function={"name": "G", "arguments": None}),
        ],
        [  # interleaved, the id late
            call(index=1, function={"name": ""}),
            call(index=0, function={"name": "F", "arguments": '{"x"'}),
            call(index=1, id="b", function={"name": "G", "arguments": "{"}),
            call(index=0, function={"arguments": ": 1}"}),
            call(index=1, function={"arguments": "}"}),
        ],
    ],
)
def test_calls_are_put_together(deltas):
    calls = answer(*deltas).calls
    assert sorted((c.name, c.arguments) for c in calls) == [("F", '{"x": 1}'), ("G", "{}")]
    assert len({c.id for c in calls}) == 2
    assert all(c.id for c in calls)


def test_arguments_may_come_as_an_object():
    (made,) = answer(call(id="a", function={"name": "F", "arguments": {"x": [1]}})).calls
    assert made.arguments == '{"x":[1]}'


def test_a_repeated_id_is_made_anew():
    deltas = [call(index=n, id="same", function={"name": "F"}) for n in range(3)]
    assert [c.id for c in answer(*deltas).calls] == ["same", "call_1", "call_2"]


def test_too_many_calls_are_refused():
    with pytest.raises(ModelGarbled, match="64 calls"):
        answer(*(call(index=n, function={"name": "F"}) for n in range(65)))


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "thinking"])
def test_reasoning_is_a_thought(name):
    (piece,) = Answer().take(chunk({name: "hm"}).removeprefix(b"data: "))
    assert (piece.text, piece.thought) == ("hm", True)


def test_content_may_come_in_parts():
    parts = [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]
    (piece,) = Answer().take(chunk({"content": parts}).removeprefix(b"data: "))
    assert piece.text == "ab"


def test_llama_timings_count_where_usage_is_missing():
    made = Answer()
    timings = {"prompt_n": 15, "cache_n": 69, "predicted_n": 5}
    made.take(event({"choices": [], "timings": timings}).removeprefix(b"data: "))
    assert (made.usage.prompt, made.usage.cached, made.usage.completion) == (84, 69, 5)


def test_finish_reasons():
    assert answer({"content": "a"}, finish="length").finish == "length"
    assert answer({"content": "a"}, finish="content_filter").finish == "stop"
    assert answer(call(function={"name": "F"}), finish="stop").finish == "tool_calls"


def test_broken_characters_pass_in_words_but_not_in_calls():
    bad = b'{"choices": [{"delta": {"content": "a\xf0\x9f"}}]}'
    assert Answer().take(bad)[0].text == "a\ufffd"
    with pytest.raises(ModelGarbled, match="broken characters"):
        Answer().take(bad.replace(b'"content"', b'"tool_calls": [], "content"'))
