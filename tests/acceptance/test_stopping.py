"""Ends that are asked for and ends that are not: what a turn leaves behind is nothing."""

import os
import signal
import time

import anyio
import pytest
from house import House
from stranger import call, calls, descendants, kill, wait_gone, with_words

from benchmarks.measure import HERMES
from benchmarks.owner import PROMPT
from benchmarks.terminal import terminal

SLEEPERS = {
    "plain": "sleep {n}",
    "child": "sh -c 'sleep {n}; true'",
    "background": "sleep {n} & sleep {n}",
    "daemon": "setsid nohup sleep {n} >/dev/null 2>&1 & sleep {n}",
    "deaf": "trap '' TERM INT HUP; setsid sh -c 'trap \"\" TERM INT; sleep {n}' & sleep {n}",
}


@pytest.fixture
def number():
    """A time to sleep that no other process names."""
    return f"12345.{os.getpid()}{time.monotonic_ns() % 10**9:09d}"


def wait_for(words, limit_s=20.0):
    end = time.monotonic() + limit_s
    while not (found := with_words(words)):
        assert time.monotonic() < end, f"nothing runs {words}"
        time.sleep(0.01)
    return found


@pytest.mark.parametrize("command", SLEEPERS.values(), ids=SLEEPERS)
@pytest.mark.parametrize(
    ("end", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_no_process_survives_an_end(stranger, number, command, end, code):
    model = stranger.script(call("Bash", command=command.format(n=number)), {"text": "never"})
    live = stranger.start("go", *model, "--yes")
    live.until("tool_started")
    running = wait_for(f"sleep {number}") + descendants(live.pid)
    live.signal(end)
    assert live.end() == code
    wait_gone(running)
    assert with_words(f"sleep {number}") == []


def test_nothing_survives_the_command_itself(stranger, number):
    command = f"setsid nohup sleep {number} >/dev/null 2>&1 & (sleep {number} &) ; echo started"
    model = stranger.script(call("Bash", command=command), {"text": "ok"})
    live = stranger.start("go", *model, "--yes")
    finished = live.until("tool_finished")
    assert finished["result"] == "started\nexit code 0"
    wait_gone(with_words(f"sleep {number}"))  # killed, though the kernel may still be at it
    assert live.end() == 0


def test_ctrl_c_stops_the_turn_and_is_stored(stranger, number):
    model = stranger.script(call("Bash", command=f"sleep {number}"), {"text": "never"})
    live = stranger.start("go", *model, "--yes")
    conversation = live.until("turn_started")["conversation_id"]
    live.until("tool_started")
    live.signal(signal.SIGINT)
    assert live.end() == 130
    assert live.events[-1]["type"] == "turn_failed"
    assert live.events[-1]["kind"] == "TurnStopped"
    shown = stranger.shown(conversation)
    assert [message["role"] for message in shown["messages"]][:2] == ["user", "assistant"]
    again = stranger.ask(
        "go on", *stranger.script({"text": "here"}), "--conversation", conversation
    )
    assert again.code == 0
    assert again.last["text"] == "here"
    assert again.of("turn_started")[0]["resumed"] is False


def test_ctrl_c_while_the_model_speaks_keeps_what_was_said(stranger):
    model = stranger.script({"text": "one two three " * 500, "chunk_delay_s": 0.02})
    live = stranger.start("go", *model)
    live.until("text_delta")
    live.signal(signal.SIGINT)
    assert live.end() == 130
    (said,) = stranger.shown(live.events[0]["conversation_id"])["messages"][1:]
    assert said["parts"][0]["text"].startswith("one")


async def test_a_turn_that_was_ended_from_outside_is_resumed(stranger, number):
    command = f"echo x >> made; sleep {number}"
    lines = [call("Bash", command=command), {"text": "resumed"}, {"text": "and again"}]
    stranger.config('[sandbox]\nbash = "guard"\n')  # in the sandbox it would run again
    live = stranger.start("go", *stranger.script(*lines), "--yes")
    started = live.until("turn_started")
    live.until("tool_started")
    wait_for(f"sleep {number}")
    live.signal(signal.SIGTERM)
    assert live.end() == 143
    assert all(event["type"] != "turn_finished" for event in live.events)
    house = House(stranger.base)
    data, config = stranger.state / "data", stranger.state / "config"
    house.settings = type(house.settings)(
        data_dir=data,
        config_dir=config,
        runtime_dir=house.settings.runtime_dir,
        sandbox=house.settings.sandbox,
    )
    async with house.client(interactive=True) as client:
        with anyio.fail_after(20):
            while True:
                shown = await client.query("conversations.show", id=started["conversation_id"])
                if len(shown["messages"]) == 4:
                    break
                await anyio.sleep(0.01)
    roles = [message["role"] for message in shown["messages"]]
    assert roles == ["user", "assistant", "tool", "assistant"]
    assert shown["messages"][-1]["parts"][0]["text"] == "resumed"
    assert "not known whether this was done" in shown["messages"][2]["parts"][0]["text"]
    assert (stranger.project / "made").read_text() == "x\n"  # never done twice
    assert with_words(f"sleep {number}") == []


def test_a_chat_that_is_killed_leaves_nothing(stranger, number):
    model = stranger.script(call("Bash", command=f"sleep {number}"), {"text": "never"})
    with terminal([HERMES, "chat", "--yes", *model], stranger.env) as screen:
        screen.wait_for(PROMPT, 20)
        screen.type("go\r")
        wait_for(f"sleep {number}")
        running = descendants(screen.child.pid)
        assert len(running) == 3  # guard and keeper, or bubblewrap twice; the shell
        kill(screen.child.pid)
        wait_gone(running)


def test_a_time_limit_is_an_answer(stranger, number):
    model = stranger.script(
        calls(("Bash", {"command": f"echo before; sleep {number}", "timeout": 1})), {"text": "ok"}
    )
    done = stranger.ask("go", *model, "--yes")
    assert done.code == 0
    assert done.of("tool_finished")[0]["result"] == "before\nerror: timed out after 1 s"
    assert with_words(f"sleep {number}") == []
