from pathlib import Path

import anyio
import pytest

from hermes.config import Settings
from hermes.core.event import (
    ApprovalAnswered,
    ApprovalAsked,
    Notice,
    TextDelta,
    ToolCalled,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    TurnFinished,
    TurnStarted,
    Usage,
)
from hermes.core.request import TurnRequest
from hermes.gateway.terminal import run_terminal
from hermes.testing.door import ScriptedDoor
from hermes.testing.terminal import piped_terminal

CONVERSATION = "0199a000-0000-7000-8000-000000000001"
ENVIRON = {"TERM": "xterm-256color"}
SKIN = {"name": "hermes", "banner": "HERMES", "colours": {"prompt": "#d7af5f", "ok": "ansigreen"}}


@pytest.fixture
def terminal(request):
    with piped_terminal(encoding=getattr(request, "param", "utf-8")) as opened:
        yield opened


def head(request, turn=None):
    return {
        "conversation_id": request.conversation_id or CONVERSATION,
        "turn_id": turn or request.turn_id,
        "at": 1_700_000_000_000,
    }


def asks(request):
    """A command wants a person's word."""
    return ApprovalAsked(
        **head(request), call_id="c", name="Bash", arguments={"command": "ls"}, rule="Bash(ls)"
    )


def saying(terminal, text, typed):
    """A turn that says this, and what is typed then."""

    async def turn(door, asked):
        yield TurnStarted(**head(asked))
        yield TurnFinished(**head(asked), text=text, usage=Usage())
        await terminal.type(typed)

    return turn


def settings(tmp_path: Path, **changes) -> Settings:
    return Settings(
        data_dir=tmp_path / "data",
        config_dir=tmp_path / "config",
        runtime_dir=tmp_path / "run",
        model="scripted",
        **changes,
    )


def request(tmp_path: Path, **changes) -> TurnRequest:
    fields = {"model": "scripted:x", "skin": "hermes"} | changes
    return TurnRequest(turn_id="", text="", cwd=str(tmp_path), root=str(tmp_path), **fields)


async def chat(door, terminal, tmp_path, environ=ENVIRON, **changes):
    with anyio.fail_after(15):
        return await run_terminal(
            door,
            settings(tmp_path),
            request(tmp_path, **changes),
            environ=environ,
            streams=(terminal.input, terminal.output),
        )


def door_of(*turns, answers=None, **more):
    return ScriptedDoor(turns, {"skin.get": SKIN, "models.list": []} | (answers or {}), **more)


async def test_a_turn_is_streamed_with_its_tools_and_the_answer(tmp_path, terminal):

    async def turn(door, asked):
        yield TurnStarted(**head(asked))
        yield TextDelta(**head(asked), text="Let me **look**.\n\n")
        yield ToolCalled(
            **head(asked),
            call_id="c",
            name="FileRead",
            arguments={"path": "a.md"},
            effect="read",
        )
        yield ToolStarted(**head(asked), call_id="c")
        yield ToolFinished(
            **head(asked),
            call_id="c",
            name="FileRead",
            ok=True,
            denied=False,
            result="[120 lines]\nx",
            truncated=False,
        )
        for word in ("It ", "says ", "`hi`."):
            yield TextDelta(**head(asked), text=word)
        usage = Usage(prompt_tokens=1204, cached_tokens=1100, completion_tokens=57, steps=2)
        yield TurnFinished(**head(asked), text="It says `hi`.", usage=usage)
        await terminal.type("/quit\r")

    door = door_of(turn)
    await terminal.type("what does a.md say\r")
    assert await chat(door, terminal, tmp_path) == 0
    assert door.requests[0].text == "what does a.md say"
    assert door.requests[0].interactive
    shown = terminal.text
    for words in (
        "HERMES",
        "› what does a.md say",  # noqa: RUF001
        "Let me look.",
        "✓ FileRead a.md · 120 lines",
        "It says hi.",
        "2 steps · 1,204 tokens in (1,100 cached), 57 out",
    ):
        assert words in shown


@pytest.mark.parametrize(
    ("typed", "answer", "reason"),
    [
        ("y", "yes", ""),
        ("always", "always", ""),
        ("n not that file", "no", "not that file"),
    ],
)
async def test_an_approval_is_answered_by_a_word(tmp_path, terminal, typed, answer, reason):

    async def turn(door, asked):
        yield TurnStarted(**head(asked))
        yield ApprovalAsked(
            **head(asked),
            call_id="c",
            name="FileEdit",
            arguments={"path": "a.md", "old": "X", "new": "Y"},
            rule="FileEdit(a.md)",
            diff="--- a.md\n+++ a.md\n@@ -1 +1 @@\n-X\n+Y\n",
        )
        await terminal.type("d\r")
        await terminal.type(f"{typed}\r")
        said = await door.answered("c")
        yield ApprovalAnswered(**head(asked), call_id="c", answer=said, by="us")
        yield TurnFinished(**head(asked), text="done", usage=Usage())
        await terminal.type("/quit\r")

    door = door_of(turn)
    await terminal.type("replace X\r")
    await chat(door, terminal, tmp_path)
    assert door.approvals == [("c", answer, reason)]
    assert "FileEdit(a.md)" in terminal.text
    assert "-X" in terminal.text
    assert "answered by" not in terminal.text


async def test_an_approval_answered_elsewhere_is_noticed(tmp_path, terminal):

    async def turn(door, asked):
        yield TurnStarted(**head(asked))
        yield asks(asked)
        yield ApprovalAnswered(**head(asked), call_id="c", answer="no", by="window 2")
        yield TurnFinished(**head(asked), text="done", usage=Usage())
        await terminal.type("/quit\r")

    await terminal.type("go\r")
    door = door_of(turn)
    await chat(door, terminal, tmp_path)
    assert "answered by window 2: no" in terminal.text
    assert door.approvals == []


async def test_being_too_late_with_an_answer_is_said(tmp_path, terminal):

    async def turn(door, asked):
        door.take("c")
        yield TurnStarted(**head(asked))
        yield asks(asked)
        await terminal.type("y\r/stop\r")
        await door.stopped.wait()
        yield TurnFinished(**head(asked), text="done", usage=Usage())
        await terminal.type("/quit\r")

    await terminal.type("go\r")
    door = door_of(turn)
    await chat(door, terminal, tmp_path)
    assert "somebody answered before" in terminal.text


async def test_a_message_typed_during_an_approval_is_queued_not_taken_for_an_answer(
    tmp_path, terminal
):

    async def first(door, asked):
        yield TurnStarted(**head(asked))
        yield asks(asked)
        await terminal.type("yes that is a good idea but later\r")
        await terminal.type("n\r")
        assert await door.answered("c") == "no"
        yield TurnFinished(**head(asked), text="first", usage=Usage())

    await terminal.type("go\r")
    door = door_of(first, saying(terminal, "second", "/quit\r"))
    await chat(door, terminal, tmp_path)
    assert door.requests[1].text == "yes that is a good idea but later"
    assert door.requests[1].conversation_id == CONVERSATION


async def test_ctrl_c_stops_the_turn_and_not_the_program(tmp_path, terminal):

    async def first(door, asked):
        yield TurnStarted(**head(asked))
        yield TextDelta(**head(asked), text="and so on and")
        await terminal.type("\x03")
        await door.stopped.wait()
        yield TurnFailed(**head(asked), error="stopped", remedy="", kind="TurnStopped")
        await terminal.type("again\r")

    await terminal.type("go\r")
    door = door_of(first, saying(terminal, "here I am", "\x03\x03"))
    assert await chat(door, terminal, tmp_path) == 0
    assert [r.text for r in door.requests] == ["go", "again"]
    assert "and so on and" in terminal.text
    assert "stopped" in terminal.text


async def test_the_wording_of_a_hostile_model_reaches_the_terminal_without_its_sequences(
    tmp_path, terminal
):
    evil = "\x1b]0;owned\x07\x1b[2J\x9b31mred\u202e &#x202e;&#27;[31m\n\n```\n\x1b[5mcode\n```\n\n"

    async def turn(door, asked):
        yield TurnStarted(**head(asked))
        yield TextDelta(**head(asked), text=evil)
        yield ToolCalled(
            **head(asked),
            call_id="c",
            name="Bash",
            arguments={"command": "ls \x1b[8m; rm -rf /"},
            effect="write",
        )
        yield ApprovalAsked(
            **head(asked),
            call_id="c",
            name="Bash",
            arguments={"command": "ls \x1b[8m; rm -rf /"},
            rule="Bash(ls:*)",
            diff="+\x1b]0;owned\x07",
        )
        await terminal.type("d\ry\r")
        await door.answered("c")
        yield ToolFinished(
            **head(asked),
            call_id="c",
            name="Bash",
            ok=False,
            denied=False,
            result="\x1b]0;owned\x07x",
            truncated=False,
            diff="",
        )
        yield Notice(**head(asked), text="\x1b]0;owned\x07")
        yield TurnFailed(**head(asked), error="\x1b]0;owned\x07", remedy="\x1b[5m")
        await terminal.type("/quit\r")

    await terminal.type("go\r")
    door = door_of(turn)
    await chat(door, terminal, tmp_path)
    assert "\x1b]0" not in terminal.raw
    assert "\x1b[5m" not in terminal.raw
    assert "\x1b[2J" not in terminal.raw
    assert "\x1b[8m" not in terminal.raw
    assert "\x9b" not in terminal.raw
    assert "\u202e" not in terminal.raw
    assert r"ls \x1b[8m; rm -rf /" in terminal.text


async def test_another_front_end_of_the_same_conversation_is_shown(tmp_path, terminal):
    shown = {
        "id": CONVERSATION,
        "title": "T",
        "messages": [{"role": "user", "parts": [{"type": "text", "text": "hey"}]}],
    }
    door = door_of(answers={"conversations.show": shown})
    here = request(tmp_path, conversation_id=CONVERSATION)
    door.others = [
        TurnStarted(**head(here, "other")),
        TextDelta(**head(here, "other"), text="said elsewhere"),
        TurnFinished(**head(here, "other"), text="said elsewhere", usage=Usage()),
    ]
    async with anyio.create_task_group() as tasks:

        async def leave():
            await door.watching.wait()
            await terminal.type("/quit\r")

        tasks.start_soon(leave)
        await chat(door, terminal, tmp_path, conversation_id=CONVERSATION)
    assert "hey  (from elsewhere)" in terminal.text
    assert "said elsewhere" in terminal.text


@pytest.mark.parametrize("terminal", ["latin-1"], indirect=True)
async def test_a_console_without_utf8_gets_ascii_marks(tmp_path, terminal):

    async def turn(door, asked):
        yield TurnStarted(**head(asked))
        yield TurnFailed(**head(asked), error="no", remedy="yes")
        await terminal.type("/quit\r")

    await terminal.type("go\r")
    await chat(door_of(turn), terminal, tmp_path, environ={"TERM": "xterm", "NO_COLOR": "1"})
    assert "> go" in terminal.text
    assert "x no" in terminal.text


async def test_a_line_goes_on_after_a_backslash_alt_enter_and_a_paste(tmp_path, terminal):

    async def turn(door, asked):
        yield TurnStarted(**head(asked))
        yield TurnFinished(**head(asked), text="ok", usage=Usage())
        await terminal.type("/quit\r")

    await terminal.type("one\\\rtwo\x1b\rthree\x1b[200~ a\nb\x1b[201~\r")
    door = door_of(turn)
    await chat(door, terminal, tmp_path)
    assert door.requests[0].text == "one\ntwo\nthree a\nb"
    assert (tmp_path / "data" / "history").stat().st_mode & 0o777 == 0o600
