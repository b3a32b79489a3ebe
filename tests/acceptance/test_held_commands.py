"""Commands in the sandbox, from the door: what an end leaves is nothing, in processes and files."""

import signal
import time

import pytest
from stranger import call, descendants, wait_gone, with_words

SLEEPERS = {
    "plain": "echo x > made; sleep {n}",
    "daemon": "echo x > made; setsid nohup sleep {n} >/dev/null 2>&1 & sleep {n}",
}


@pytest.fixture
def held(standing, stranger):
    """Somebody who has set it, on a machine that has a whole sandbox."""
    return stranger


@pytest.mark.parametrize("command", SLEEPERS.values(), ids=SLEEPERS)
@pytest.mark.parametrize(
    ("end", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_an_end_leaves_nothing(held, command, end, code):
    number = f"23456.{time.monotonic_ns()}"
    model = held.script(call("Bash", command=command.format(n=number)), {"text": "never"})
    live = held.start("go", *model, "--yes")
    live.until("tool_started")
    limit = time.monotonic() + 20
    while not with_words(f"sleep {number}"):
        assert time.monotonic() < limit
        time.sleep(0.01)
    running = with_words(f"sleep {number}") + descendants(live.pid)
    live.signal(end)
    assert live.end() == code
    wait_gone(running)
    assert with_words(f"sleep {number}") == []
    assert list(held.project.iterdir()) == []


def test_the_doctor_says_where_commands_run(held):
    assert "the chat's commands run in it, without the network" in held.run("doctor").out
    held.config('[sandbox]\nbash = "guard"\n')
    assert "run under the guard" in held.run("doctor").out


def test_a_kill_while_changes_are_made_leaves_all_of_them_or_none(held):
    command = "for i in $(seq 2000); do echo new > f$i; done"
    live = held.start("go", *held.script(call("Bash", command=command), {"text": "no"}), "--yes")
    live.until("tool_started")
    record = held.state / "data" / "changes.record"
    while not record.exists() and live.child.poll() is None:
        pass
    live.signal(signal.SIGKILL)
    live.end()
    done = held.ask("go", *held.script(call("Bash", command="ls | wc -l"), {"text": "ok"}))
    assert done.code == 0
    assert not record.exists()
    assert len(list(held.project.iterdir())) == 2000
    assert "2000" in done.of("tool_finished")[0]["result"]
