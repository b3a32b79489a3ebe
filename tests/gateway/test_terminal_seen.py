"""What a person sees of the less usual: turns joined, stopped and resumed, skins, private lines."""

import anyio
import pytest

from hermes.config import Settings
from hermes.core.event import (
    TextDelta,
    ToolCalled,
    TurnFailed,
    TurnFinished,
    TurnStarted,
    Usage,
)
from hermes.core.request import TurnRequest
from hermes.gateway.terminal import run_terminal
from hermes.gateway.terminal_models import row, ships
from hermes.models.gguf import EXACT, shipped_model
from hermes.testing.door import ScriptedDoor, ScriptedHello
from hermes.testing.terminal import piped_terminal

CONVERSATION = "0199a000-0000-7000-8000-000000000001"
OTHER = {"conversation_id": CONVERSATION, "turn_id": "t2", "at": 1}
TALK = {
    "id": CONVERSATION,
    "title": "A talk",
    "messages": [
        {"turn": "t1", "role": "user", "parts": [{"type": "text", "text": "first question"}]},
        {
            "turn": "t1",
            "role": "assistant",
            "parts": [
                {"type": "tool_call", "name": "Grep", "arguments": '{"pattern": "x", "path": "a"}'},
                {"type": "tool_call", "name": "Odd", "arguments": "{broken"},
            ],
        },
        {"turn": "t2", "role": "user", "parts": [{"type": "text", "text": "second question"}]},
    ],
}


@pytest.fixture
def terminal():
    with piped_terminal() as opened:
        yield opened


async def chat(door, terminal, tmp_path, **request):
    settings = Settings(data_dir=tmp_path, config_dir=tmp_path / "config", runtime_dir=tmp_path)
    fields = {"model": "scripted:x"} | request
    asked = TurnRequest(turn_id="", text="", cwd=str(tmp_path), root="/project", **fields)
    streams = (terminal.input, terminal.output)
    with anyio.fail_after(15):
        await run_terminal(door, settings, asked, environ={"TERM": "xterm"}, streams=streams)


def door_of(*turns, status=None, hello=None, **answers):
    return ScriptedDoor(turns, {"models.list": []} | answers, status, hello)


def head(asked):
    return {"conversation_id": CONVERSATION, "turn_id": asked.turn_id, "at": 1}


async def watched(door, terminal, tmp_path):
    async with anyio.create_task_group() as tasks:

        async def leave():
            await door.watching.wait()
            await terminal.type("/quit\r")

        tasks.start_soon(leave)
        await chat(door, terminal, tmp_path, conversation_id=CONVERSATION)


async def test_a_turn_joined_in_its_middle_is_shown_once(tmp_path, terminal):
    running = {"running": [{"conversation_id": CONVERSATION, "turn_id": "t2"}]}
    door = door_of(status=running, **{"conversations.show": TALK})
    door.others = [TurnStarted(**OTHER), TextDelta(**OTHER, text="half an answer")]
    await watched(door, terminal, tmp_path)
    assert terminal.text.count("first question") == 1
    assert terminal.text.count("second question  (from elsewhere)") == 1
    assert terminal.text.count("second question\r") == 0
    assert "● Grep x path=a" in terminal.text
    assert "● Odd {broken" in terminal.text


async def test_a_turn_that_goes_on_does_not_repeat_its_question(tmp_path, terminal):
    door = door_of(**{"conversations.show": TALK | {"messages": TALK["messages"][2:]}})
    door.others = [
        TurnStarted(**OTHER),
        TurnStarted(**OTHER, resumed=True),
        TurnFinished(**OTHER, text="done at last", usage=Usage()),
    ]
    await watched(door, terminal, tmp_path)
    assert terminal.text.count("(from elsewhere)") == 1
    assert "the turn goes on where it was" in terminal.text
    assert "done at last" in terminal.text


async def test_a_stop_gives_the_queue_back_and_says_what_did_not_finish(tmp_path, terminal):
    async def first(door, asked):
        yield TurnStarted(**head(asked))
        yield ToolCalled(
            **head(asked), call_id="c", name="Bash", arguments={"command": "make"}, effect="write"
        )
        await terminal.type("one more\rand another\r\x03")
        await door.stopped.wait()
        yield TurnFailed(**head(asked), error="stopped", remedy="", kind="TurnStopped")
        await terminal.type(" thing\r")

    async def second(door, asked):
        yield TurnStarted(**head(asked))
        yield TurnFinished(**head(asked), text="ok", usage=Usage())
        await terminal.type("/quit\r")

    door = door_of(first, second)
    await terminal.type("go\r")
    await chat(door, terminal, tmp_path)
    assert [request.text for request in door.requests] == ["go", "one more\nand another thing"]
    assert "✗ Bash make · not finished" in terminal.text
    assert "· stopped" in terminal.text


async def test_lines_of_a_private_conversation_are_not_kept(tmp_path, terminal):
    def turn(last):
        async def said(_door, asked):
            yield TurnStarted(**head(asked))
            yield TurnFinished(**head(asked), text="ok", usage=Usage())
            await terminal.type(last)

        return said

    door = door_of(turn("/private\rsecret\r"), turn("/quit\r"), **{"conversations.private": {}})
    await terminal.type("open\r")
    await chat(door, terminal, tmp_path)
    kept = (tmp_path / "history").read_text()
    assert "open" in kept
    assert "secret" not in kept


async def test_a_private_conversation_stays_private_when_it_is_resumed(tmp_path, terminal):
    async def turn(_door, asked):
        yield TurnStarted(**head(asked))
        yield TurnFinished(**head(asked), text="ok", usage=Usage())
        await terminal.type("/quit\r")

    door = door_of(turn, **{"conversations.show": TALK | {"private": True}})
    await terminal.type("go\r")
    await chat(door, terminal, tmp_path, conversation_id=CONVERSATION)
    assert door.requests[0].private
    assert not (tmp_path / "history").exists()


async def test_a_skin_changes_the_screen_at_once(tmp_path, terminal):
    skins = {
        "one": {"name": "one", "banner": "FIRST"},
        "two": {"name": "two", "banner": "SECOND", "colours": {"dim": "ansired"}},
    }
    door = door_of(**{"skin.get": lambda name: skins[name]})
    await terminal.type("/skin two\r/quit\r")
    await chat(door, terminal, tmp_path, skin="one")
    before, banner, after = terminal.raw.partition("SECOND")
    assert banner
    assert "FIRST" in before
    assert "\x1b[31m" not in before
    assert "\x1b[31mtwo speaks" in after


async def test_a_long_paste_is_shown_short(tmp_path, terminal):
    async def turn(_door, asked):
        yield TurnStarted(**head(asked))
        yield TurnFinished(**head(asked), text="ok", usage=Usage())
        await terminal.type("/quit\r")

    pasted = "\n".join(f"line {number}" for number in range(200))
    await terminal.type(f"\x1b[200~{pasted}\x1b[201~\r")
    door = door_of(turn)
    await chat(door, terminal, tmp_path)
    assert door.requests[0].text == pasted
    assert "... 187 more lines" in terminal.text


async def test_a_command_is_said_before_its_answer(tmp_path, terminal):
    await terminal.type("/mode auto\r/quit\r")
    await chat(door_of(), terminal, tmp_path)
    _, said, answer = terminal.text.rpartition("/mode auto")
    assert said
    assert "mode auto, from the next turn on" in answer


@pytest.mark.parametrize(
    ("model", "default", "small"),
    [
        ("", "ember", True),
        (str(shipped_model()), "other", True),
        ("", "http://127.0.0.1:1/v1#big", False),
        ("scripted:x", "ember", False),
    ],
)
async def test_how_far_the_small_model_goes_is_said_exactly_when_it_answers(
    tmp_path, terminal, model, default, small
):
    await terminal.type("/quit\r")
    hello = ScriptedHello(model=default)
    await chat(door_of(hello=hello), terminal, tmp_path, model=model)
    assert (f"{EXACT} %" in terminal.text) is small


def test_the_shipped_model_has_a_name_in_lists():
    assert row({"model": str(shipped_model()), "window": 2048, "current": True}) == (
        "ember, the small model that ships  2,048 tokens  (now)"
    )
    assert not ships("/elsewhere/ember.gguf")
