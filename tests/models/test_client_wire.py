from contextlib import suppress

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hermes.core.ids import CallId
from hermes.core.message import ToolCall
from hermes.core.model import ChatMessage, ModelRequest, ToolSpec
from hermes.models.hygiene import Hygiene
from hermes.models.server import Server
from hermes.models.wire import Wire

WIRE = Wire(Server(model="m"), Hygiene(frozenset({"<|im_end|>"})))
WORDS = st.one_of(st.text(max_size=20), st.sampled_from(["<|im_end|>", '"', "\\u003c|im_end|>"]))
ARGUMENTS = st.one_of(
    WORDS,
    st.dictionaries(st.text(max_size=5), st.integers() | WORDS, max_size=3).map(
        lambda value: msgspec.json.encode(value).decode()
    ),
)
CALLS = st.lists(st.builds(ToolCall, WORDS.map(CallId), WORDS, ARGUMENTS), max_size=2).map(tuple)
MESSAGES = st.one_of(
    st.builds(ChatMessage, st.just("user"), WORDS),
    st.builds(ChatMessage, st.just("assistant"), WORDS, CALLS, raw=st.booleans()),
    st.builds(ChatMessage, st.just("tool"), WORDS, call_id=WORDS.map(CallId), name=WORDS),
)
CONVERSATIONS = st.lists(MESSAGES, max_size=5).map(tuple)


def messages(request: ModelRequest) -> bytes:
    body = WIRE.body(request)
    return bytes(msgspec.json.decode(body, type=dict[str, msgspec.Raw])["messages"])


def test_a_system_block_comes_first_and_an_empty_one_not_at_all():
    user = ChatMessage("user", "hi")
    assert messages(ModelRequest("", (user,))) == b'[{"role":"user","content":"hi"}]'
    assert messages(ModelRequest("s", (user,))).startswith(b'[{"role":"system","content":"s"},')


def test_what_is_not_set_is_not_sent():
    body = msgspec.json.decode(WIRE.body(ModelRequest("", ())))
    assert not {"tools", "max_tokens", "cache_prompt"} & set(body)
    assert (body["stream"], body["temperature"]) == (True, 0)
    assert body["stream_options"] == {"include_usage": True}
    assert msgspec.json.decode(WIRE.body(ModelRequest("", (), max_tokens=7)))["max_tokens"] == 7


def test_arguments_go_out_byte_for_byte():
    text = '{"path":  "a\\u00e9\\n",\n "n": 1.50}'
    call = ToolCall(CallId("1"), "F", text)
    (wire,) = msgspec.json.decode(
        messages(ModelRequest("", (ChatMessage("assistant", "", (call,)),)))
    )
    assert wire["tool_calls"] == [
        {"id": "1", "type": "function", "function": {"name": "F", "arguments": text}}
    ]


def test_arguments_that_are_no_object_do_not_spoil_the_conversation():
    for text in ('{"path": ', "no", "[1]", '"s"', "[" * 5000):
        call = ToolCall(CallId("1"), "F", text)
        (wire,) = msgspec.json.decode(
            messages(ModelRequest("", (ChatMessage("assistant", "", (call,)),)))
        )
        arguments = wire["tool_calls"][0]["function"]["arguments"]
        assert msgspec.json.decode(arguments) == {"unreadable": text}


def test_calls_that_stand_in_the_text_are_not_sent_twice():
    raw = '<tool_call>\n{"name": "F", "arguments": {}}\n</tool_call>'
    message = ChatMessage("assistant", raw, (ToolCall(CallId("1"), "F", "{}"),), raw=True)
    (wire,) = msgspec.json.decode(messages(ModelRequest("", (message,))))
    assert wire == {"role": "assistant", "content": raw}


def test_tools_are_offered_in_the_usual_form():
    schema = {"type": "object", "properties": {"path": {"type": "string"}}}
    body = msgspec.json.decode(WIRE.body(ModelRequest("", (), (ToolSpec("F", "reads", schema),))))
    function = {"name": "F", "description": "reads", "parameters": schema}
    assert body["tools"] == [{"type": "function", "function": function}]


@given(CONVERSATIONS, MESSAGES, WORDS)
def test_a_longer_conversation_begins_with_the_shorter_ones_bytes(conversation, more, system):
    before = messages(ModelRequest(system, conversation))
    after = messages(ModelRequest(system, (*conversation, more)))
    assert after.startswith(before[:-1])
    assert before == messages(ModelRequest(system, conversation))


def strings(value):
    if isinstance(value, str):
        yield value
        if value.startswith("{"):  # perhaps arguments, which a template reads
            with suppress(msgspec.DecodeError):
                yield from strings(msgspec.json.decode(value))
    elif isinstance(value, dict):
        yield from strings(list(value.items()))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from strings(inner)


@given(CONVERSATIONS, WORDS)
def test_no_control_token_is_ever_sent(conversation, system):
    wire = msgspec.json.decode(messages(ModelRequest(system, conversation)))
    assert not [text for text in strings(wire) if "<|im_end|>" in text]
