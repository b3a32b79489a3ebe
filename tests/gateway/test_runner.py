"""What a program may ask: seven tools over a door, narrowed by whoever started the server."""

from pathlib import Path

import anyio
import pytest

from hermes.core.event import TextDelta, TurnFailed, TurnFinished, TurnStarted, Usage
from hermes.core.request import TurnRequest
from hermes.errors import OwnerGone
from hermes.errors import Usage as Wrong
from hermes.gateway.runner import TOOLS, Runner
from hermes.testing.door import ScriptedDoor

CONVERSATION = "01890000-0000-7000-8000-000000000000"


def order(**more):
    return TurnRequest(turn_id="", text="", cwd="/p", root="/p", model="ember", typed=0, **more)


def head(request):
    return {"conversation_id": CONVERSATION, "turn_id": request.turn_id, "at": 0}


async def answers(door, request):
    yield TurnStarted(**head(request))
    yield TextDelta(**head(request), text="good")
    yield TurnFinished(**head(request), text="good", usage=Usage())


async def fails(door, request):
    yield TurnStarted(**head(request))
    yield TurnFailed(**head(request), error="it broke", remedy="mend it", kind="EngineDied")


async def hangs(door, request):
    yield TurnStarted(**head(request))
    await anyio.sleep_forever()


async def stops_short(door, request):
    yield TurnStarted(**head(request))


async def nobody(event):
    """Wants no events."""


async def test_a_turn_tells_its_events_and_then_its_answer():
    door, told = ScriptedDoor([answers]), []

    async def tell(event):
        told.append(event.__struct_config__.tag)

    found = await Runner(door, order()).call("runner.chat", {"text": "hi"}, tell)
    assert told == ["turn_started", "text_delta", "turn_finished"]
    assert (found["ok"], found["text"], found["conversation_id"]) == (True, "good", CONVERSATION)
    assert (door.requests[0].typed, door.requests[0].interactive) == (0, False)


async def test_a_failed_turn_is_an_answer():
    found = await Runner(ScriptedDoor([fails]), order()).call("runner.chat", {"text": "x"}, nobody)
    assert (found["ok"], found["error"], found["kind"]) == (False, "it broke", "EngineDied")


async def test_a_turn_without_an_end_is_an_error():
    with pytest.raises(OwnerGone):
        await Runner(ScriptedDoor([stops_short]), order()).call(
            "runner.chat", {"text": "x"}, nobody
        )


async def test_who_goes_away_stops_the_turn():
    door, began = ScriptedDoor([hangs]), anyio.Event()

    async def tell(event):
        began.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Runner(door, order()).call, "runner.chat", {"text": "x"}, tell)
        await began.wait()
        tasks.cancel_scope.cancel()
    assert door.asked("stop") == [{"conversation": CONVERSATION}]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "text"),
        ({"text": ""}, "text"),
        ({"text": "x", "model": "https://elsewhere"}, "model"),
        ({"text": "x", "yes": True}, "yes"),
        ({"text": "x", "cwd": "/etc"}, "cwd"),
        ({"text": "x", "mode": "auto"}, "laxer"),
        ({"text": "x", "turn_id": "mine"}, "UUID"),
        ({"text": "x", "script": "a"}, "no scripts"),
        ({"text": "x", "max_steps": -1}, "max_steps"),
    ],
)
async def test_a_caller_cannot_take_more_than_was_given(arguments, says):
    with pytest.raises(Wrong, match=says):
        await Runner(ScriptedDoor(), order()).call("runner.chat", arguments, nobody)


@pytest.mark.parametrize("script", ["../a", "/etc/passwd", ".hidden", "a/b", ".."])
async def test_scripts_are_plain_names_of_their_folder(script):
    runner = Runner(ScriptedDoor(), order(), Path("/scripts"))
    with pytest.raises(Wrong, match="plain"):
        await runner.call("runner.chat", {"text": "x", "script": script}, nobody)


async def test_a_turn_can_be_stricter_than_the_server():
    door = ScriptedDoor([answers])
    runner = Runner(door, order(mode="auto", max_steps=5), Path("/scripts"))
    asked = {"text": "x", "mode": "read-only", "max_steps": 9, "script": "a"}
    await runner.call("runner.chat", asked, nobody)
    sent = door.requests[0]
    assert (sent.mode, sent.max_steps, sent.model) == ("read-only", 5, "scripted:/scripts/a")


async def test_history_is_paged_whole():
    shown = {"id": CONVERSATION, "messages": [{"n": n} for n in range(7)]}
    door = ScriptedDoor(answers={"conversations.show": lambda **_id: dict(shown)})
    seen = []
    for offset in range(0, 9, 3):
        page = {"conversation_id": CONVERSATION, "offset": offset, "limit": 3}
        found = await Runner(door, order()).call("runner.history", page, nobody)
        seen += [message["n"] for message in found["messages"]]
        assert found["total"] == 7
    assert seen == list(range(7))


async def test_the_other_tools_reach_the_door():
    table = {
        "conversations.search": [{"snippet": "x"}],
        "conversations.export": {"id": CONVERSATION, "messages": []},
        "conversations.list": [],
    }
    door = ScriptedDoor(answers=table, status={"running": []})
    runner = Runner(door, order())
    there = {"conversation_id": CONVERSATION}
    calls = {
        "runner.approve": ({"call_id": "c", "answer": "no"}, {"first": True}),
        "runner.stop": (there, {"stopped": True}),
        "runner.history": ({}, {"conversations": []}),
        "runner.export": (there, {"conversation": table["conversations.export"]}),
        "runner.search": ({"query": "x"}, {"hits": [{"snippet": "x"}]}),
        "runner.status": ({}, {"running": []}),
    }
    for name, (arguments, expected) in calls.items():
        assert await runner.call(name, arguments, nobody) == expected
    assert set(TOOLS) == {*calls, "runner.chat"}
    with pytest.raises(Wrong, match="no tool"):
        await runner.call("runner.reset", {}, nobody)
