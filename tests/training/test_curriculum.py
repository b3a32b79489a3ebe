"""The curriculum: phrasings are sound, values are copied, the held-out stays out."""

import random
from collections import Counter

import pytest

from hermes.core.model import ToolSpec
from training.curriculum import conversation, conversations
from training.curriculum.copying import copying
from training.curriculum.dialogue import calls, request, spoken
from training.curriculum.frames import BadFrame, by_intent, parse, shipped
from training.curriculum.schema import from_schema
from training.curriculum.values import SLOT, Values, lines
from training.evaluate.offered import offered

TOOLS = {tool.name: tool for tool in offered().specs}
FREE = {".", "..", "~", "/"}


def test_phrasings_are_many_and_sound():
    frames = shipped()
    intents = Counter(frame.answer.intent for frame in frames)
    assert set(TOOLS) <= set(intents)
    assert len(frames) > 8_000
    assert min(intents.values()) > 80
    values = Values(random.Random(1))
    for kind in {match[1] for frame in frames for match in SLOT.finditer(frame.text)}:
        assert values.draw(kind)


def test_calls_fit_the_tools():
    for frame in shipped():
        for call in frame.answer.calls:
            schema = TOOLS[call.tool].parameters
            given = {name for name, _ in call.arguments}
            assert given <= set(schema["properties"]), frame
            assert set(schema.get("required", ())) <= given, frame


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("read {path}", "x.txt:1: a phrasing before the first section"),
        ("@ FileRead | path={path}\nread it", "x.txt:2: path wants path, which the phrasing lacks"),
        ("@ not a tool | path={path}\n", "x.txt:1: no call: not a tool"),
        ("@ say |\n", "x.txt:1: nothing is said"),
    ],
)
def test_bad_frames(text, says):
    with pytest.raises(BadFrame) as caught:
        parse(text, "x.txt")
    assert str(caught.value).startswith(says)


def test_values_are_copied_to_the_character():
    values = Values(random.Random(5))
    for _ in range(3_000):
        text, answer, bound = request(values)
        for number, call in enumerate(calls(values, answer, bound)):
            for (name, form), value in zip(
                answer.calls[number].arguments, call[1].values(), strict=True
            ):
                if form.startswith("{") and form.endswith("}"):
                    assert str(value) in text, (text, name, value)


def test_the_same_seed_gives_the_same_conversations():
    assert list(conversations(3, 50)) == list(conversations(3, 50))
    assert list(conversations(3, 50)) != list(conversations(4, 50))
    assert list(copying(3, 20)) == list(copying(3, 20))


def test_conversations_take_turns():
    for seed in range(400):
        messages = conversation(seed, tokens=300 * (seed % 3))
        roles = [message["role"] for message in messages]
        assert roles[-1] == "assistant"
        assert "system" not in roles[1:]
        for message, following in zip(messages, roles[1:], strict=False):
            made = message.get("tool_calls")
            if message["role"] == "assistant" and following == "tool":
                assert made
            if made:
                assert {call["name"] for call in made} <= set(TOOLS)


def test_held_out_phrasings_and_words_are_never_trained_on():
    held = {frame.text for frames in by_intent(held=True).values() for frame in frames}
    trained = {frame.text for frames in by_intent(held=False).values() for frame in frames}
    assert len(held) > 200
    assert not held & trained
    words = set(lines("values/word.txt"))
    drawn = [{Values(random.Random(n), held=h).word() for n in range(900)} for h in (True, False)]
    assert not drawn[0] & drawn[1] & words


def test_a_new_tool_gets_phrasings_from_its_schema():
    parameters = {
        "type": "object",
        "properties": {
            "room": {"type": "string"},
            "degrees": {"type": "integer"},
            "slowly": {"type": "boolean"},
        },
        "required": ["room", "degrees"],
    }
    tool = ToolSpec("HeatRoom", "Set a room's temperature.", parameters)
    frames = list(from_schema([tool], each=40))
    assert len(set(frames)) > 20
    values = Values(random.Random(2))
    for frame in frames:
        text, answer, bound = spoken(values, frame)
        ((name, given),) = calls(values, answer, bound)
        assert name == "HeatRoom"
        assert {"room", "degrees"} <= set(given)
        assert str(given["room"]) in text
