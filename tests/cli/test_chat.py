import json

import pytest

from hermes.core.event import (
    Notice,
    TextDelta,
    ToolCalled,
    ToolFinished,
    TurnFailed,
    TurnFinished,
    TurnStarted,
    Usage,
)
from hermes.errors import NotAvailable, StoreOwned
from hermes.gateway.client import RemoteError
from hermes.testing.door import ScriptedDoor

EVIL = "hi \x1b]0;owned\x07\x1b[31mthere\u202e"


def head(asked):
    return {"conversation_id": "c", "turn_id": asked.turn_id, "at": 1_700_000_000_000}


def turn(text=EVIL, *, denied=0, failed=None):
    async def script(door, asked):
        yield TurnStarted(**head(asked))
        yield ToolCalled(
            **head(asked), call_id="1", name="FileRead", arguments={"path": "a"}, effect="read"
        )
        yield ToolFinished(
            **head(asked),
            call_id="1",
            name="FileRead",
            ok=not denied,
            denied=bool(denied),
            result="[3 lines]\n\x1b[2J",
            truncated=False,
        )
        yield Notice(**head(asked), text="the engine\x1b[2J was restarted")
        yield TextDelta(**head(asked), text=text[:4])
        yield TextDelta(**head(asked), text=text[4:])
        if failed is None:
            yield TurnFinished(**head(asked), text=text, usage=Usage(), denied=denied)
        else:
            yield TurnFailed(
                **head(asked), error="it\x1b[2J broke", remedy="mend", kind=failed, denied=denied
            )

    return script


def test_the_answer_is_all_there_is_on_standard_output(shell):
    shell.door = ScriptedDoor([turn()])
    assert shell.run("chat", "-m", "hello") == 0
    assert shell.out == "hi there\n"
    assert shell.err == ""
    assert shell.door.requests[0].text == "hello"
    assert not shell.door.requests[0].interactive
    assert not shell.opened[0][1]


def test_a_terminal_sees_tools_and_notices_beside_the_answer(shell):
    shell.door = ScriptedDoor([turn()])
    assert shell.run("chat", "-m", "hello", tty=True) == 0
    assert shell.out == "hi there\n"
    assert shell.err.splitlines() == [
        "● FileRead a",
        "✓ FileRead a · 3 lines",
        "· the engine was restarted",
    ]


def test_an_alarm_is_said_where_nobody_watches(shell):
    shell.door = ScriptedDoor([turn()], status={"alarms": ["the store was shortened\nmore"]})
    assert shell.run("chat", "-m", "hello") == 0
    assert (shell.out, shell.err) == ("hi there\n", "hermes: the store was shortened\n")


def test_json_is_one_event_a_line_and_nothing_else(shell):
    shell.door = ScriptedDoor([turn()])
    assert shell.run("chat", "-m", "hello", "--json") == 0
    events = [json.loads(line) for line in shell.out.splitlines()]
    assert [e["type"] for e in events] == [
        "turn_started",
        "tool_called",
        "tool_finished",
        "notice",
        "text_delta",
        "text_delta",
        "turn_finished",
    ]
    assert {e["at"] for e in events} == {"2023-11-14T22:13:20.000Z"}
    assert events[-1]["text"] == EVIL
    assert "\x1b" not in shell.out


def test_json_is_ascii_where_the_locale_is(shell):
    shell.door = ScriptedDoor([turn("ä")])
    assert shell.run("chat", "-m", "x", "--json", encoding="ascii") == 0
    assert shell.out.isascii()


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (turn(), 0),
        (turn(denied=1), 3),
        (turn(failed="TurnLimitReached"), 1),
        (turn(failed="EngineDied"), 1),
        (turn(failed="NotAvailable"), 4),
        (turn(failed=""), 1),
        (turn(failed="TurnLimitReached", denied=2), 3),
    ],
)
def test_exit_codes_of_turns(shell, script, code):
    shell.door = ScriptedDoor([script])
    assert shell.run("chat", "-m", "x") == code


def test_a_failed_turn_says_what_and_what_to_do(shell):
    shell.door = ScriptedDoor([turn(failed="EngineDied")])
    shell.run("chat", "-m", "x")
    assert shell.err == "hermes: it broke\n  mend\n"


def test_what_was_refused_is_named_where_nobody_watches(shell):
    shell.door = ScriptedDoor([turn(denied=1)])
    assert shell.run("chat", "-m", "x") == 3
    assert "⊘" in shell.err
    assert "docs/policy.md" in shell.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StoreOwned("another process owns the store", "end it"), 1),
        (NotAvailable("no engine here", "pip install it"), 4),
        (RemoteError("no conversation has this id", "see list", "ConversationUnknown"), 2),
        (RemoteError("refused", "", "Refused"), 3),
        (RemoteError("odd", "", "exit"), 1),
        (ExceptionGroup("g", [ExceptionGroup("h", [NotAvailable("no engine here")])]), 4),
    ],
)
def test_exit_codes_of_errors(shell, error, code):
    shell.error = error
    assert shell.run("chat", "-m", "x") == code
    assert shell.err.startswith("hermes: ")
    assert "Traceback" not in shell.err


def test_a_defect_is_one_sentence_unless_somebody_wants_to_see_it(shell):
    shell.error = ZeroDivisionError("division")
    assert shell.run("chat", "-m", "x") == 1
    assert "Traceback" not in shell.err
    assert shell.run("chat", "-m", "x", HERMES_V2_DEBUG="1") == 1
    assert "Traceback" in shell.err


def test_text_from_a_pipe_is_the_message(shell):
    shell.door = ScriptedDoor([turn()])
    assert shell.run("chat", stdin="from a pipe\n") == 0
    assert shell.door.requests[0].text == "from a pipe"


def test_text_from_a_pipe_goes_along_with_a_message(shell):
    shell.door = ScriptedDoor([turn()])
    assert shell.run("chat", "-m", "review this", stdin="diff\n") == 0
    assert shell.door.requests[0].text == "review this\n\ndiff"


def test_options_travel_with_the_request(shell):
    (shell.home / ".git").mkdir()
    shell.door = ScriptedDoor([turn()])
    words = "--model m.gguf --skin plain --mode auto --max-steps 3 --context 4096 --profile lean"
    shell.run("-m", "x", *words.split(), "--yes", "--private", "--conversation", "c0ffee")
    sent = shell.door.requests[0]
    assert sent.model == str(shell.home / "m.gguf")
    assert (sent.skin, sent.mode, sent.max_steps) == ("plain", "auto", 3)
    assert (sent.context, sent.profile) == (4096, "lean")
    assert sent.yes
    assert sent.private
    assert sent.conversation_id == "c0ffee"
    assert sent.root == sent.cwd == str(shell.home)


@pytest.mark.parametrize(
    ("words", "stdin", "code"),
    [
        (["chat", "--json"], None, 2),
        (["chat"], "", 2),
        (["chat", "-m", "  "], None, 2),
        (["chat"], None, 4),  # a chat needs a terminal at standard output
        (["chat", "--mode", "wild"], None, 2),
        (["chat", "--max-steps", "-1"], None, 2),
        (["nonsense"], None, 2),
        (["chat", "-m", "x", "--skin", "s", "--context", "many"], None, 2),
        (["chat"], "x" * 4_000_001, 2),
    ],
)
def test_what_cannot_be_meant_is_refused_before_a_door_is_opened(shell, words, stdin, code):
    assert shell.run(*words, stdin=stdin) == code
    assert shell.opened == []


def test_a_broken_config_is_named(shell):
    config = shell.home / "state" / "config"
    config.mkdir(parents=True)
    (config / "config.toml").write_text("mode = 'wild'")
    assert shell.run("chat", "-m", "x") == 2
    assert "config.toml" in shell.err
