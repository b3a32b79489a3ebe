"""`hermes node` as a real process: its start and end, who else is there, kill -9, a chat in it."""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.measure import HERMES, home
from benchmarks.terminal import terminal

LIMIT_S = 40


class Node:
    """A `hermes node` and what it said."""

    def __init__(self, env):
        self.said = ""
        self.child = subprocess.Popen(
            [HERMES, "node"],
            env=env,
            cwd=env["PWD"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def until(self, text):
        """Read until it says something."""
        out = self.child.stdout.fileno()
        until = time.monotonic() + LIMIT_S
        while text not in self.said:
            assert select.select([out], [], [], max(0, until - time.monotonic()))[0], self.said
            data = os.read(out, 65536)
            assert data, self.said
            self.said += data.decode()

    def end(self, sign):
        """Send a signal; its exit code, and the seconds until it was gone."""
        began = time.monotonic()
        self.child.send_signal(sign)
        rest = self.child.communicate(timeout=LIMIT_S)[0]
        self.said += rest.decode()
        return self.child.returncode, time.monotonic() - began


@contextlib.contextmanager
def node(env):
    running = Node(env)
    try:
        running.until(f"process {running.child.pid}")
        yield running
    finally:
        running.child.kill()
        running.child.communicate()


@pytest.fixture
def env():
    with home() as found:
        yield found


def hermes(env, *words):
    return subprocess.run(
        [HERMES, *words],
        env=env,
        cwd=env["PWD"],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_when_asked(env, sign):
    with node(env) as running:
        code, seconds = running.end(sign)
        assert code == 0, running.said
        assert seconds < 5  # what systemd and a person wait for
        assert sign.name in running.said
        assert "Traceback" not in running.said
    assert not list(Path(env["XDG_RUNTIME_DIR"], "hermes-v2").iterdir())


def test_it_ends_in_time_while_a_turn_runs_and_the_turn_goes_on_elsewhere(env):
    """The guest whose turn it was becomes the owner, and is told of the write that was cut off."""
    sleeps = {"name": "Bash", "arguments": {"command": "touch began; sleep 60"}}
    path = Path(env["HOME"], "script.jsonl")
    path.write_text(json.dumps({"tool_calls": [sleeps]}) + '\n{"text": "over"}\n')
    config = Path(env["HERMES_V2_HOME"], "config", "config.toml")
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text('[sandbox]\nbash = "guard"\n')  # in the sandbox nothing is cut off
    with node(env) as running:
        guest = subprocess.Popen(
            [HERMES, "chat", "-m", "go", "--yes", "--json", "--model", f"scripted:{path}"],
            env=env,
            cwd=env["PWD"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            for line in guest.stdout:
                if json.loads(line)["type"] == "tool_started":
                    break
            code, seconds = running.end(signal.SIGTERM)
            assert code == 0, running.said
            assert seconds < 5
            last = [json.loads(line) for line in guest.stdout][-1]
            assert last["type"] == "turn_finished"
            assert last["text"] == "over"
        finally:
            guest.kill()
            guest.communicate()


def test_a_second_one_says_who_runs(env):
    with node(env) as running:
        second = hermes(env, "node")
        assert second.returncode == 1
        assert f"a node runs here already: process {running.child.pid}" in second.stderr


def test_without_a_mesh_it_says_so(env):
    with node(env) as running:
        running.until("no mesh")


def script(env, *texts):
    path = Path(env["HOME"], "script.jsonl")
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return f"scripted:{path}"


def test_a_killed_one_leaves_nothing_that_keeps_the_next_from_starting(env):
    model = script(env, "first", "second")
    with node(env) as running:
        done = hermes(env, "chat", "-m", "one", "--model", model, "--json")
        talk = json.loads(done.stdout.splitlines()[0])["conversation_id"]
        code, _ = running.end(signal.SIGKILL)
        assert code == -signal.SIGKILL
    with node(env):
        shown = hermes(env, "conversations", "show", talk)
        assert "first" in shown.stdout


def test_a_chat_in_a_terminal_is_its_guest(env):
    """The turn that is asked in the terminal runs in the node: it alone owns the store."""
    model = script(env, "guest and host")
    with node(env) as running:
        with terminal([HERMES, "chat", "--model", model], env) as screen:
            screen.type("hello\r")
            screen.wait_for("guest and host", LIMIT_S)
            lock = Path(env["HERMES_V2_HOME"], "data", "owner.lock")
            assert int(lock.read_text()) == running.child.pid
            opened = [one.readlink() for one in Path(f"/proc/{screen.child.pid}/fd").iterdir()]
            assert not [path for path in opened if path.name.startswith("hermes.db")]
        assert running.child.poll() is None  # the guest left, the host stays


def test_it_waits_for_a_chat_that_owns_the_store(env):
    with terminal([HERMES, "chat", "--model", script(env)], env) as screen:
        screen.wait_for("/help", LIMIT_S)
        waiting = Node(env)
        try:
            waiting.until("owns the store")
        except BaseException:
            waiting.child.kill()
            raise
    waiting.until(f"process {waiting.child.pid}")
    assert waiting.end(signal.SIGTERM)[0] == 0


def test_the_unit_is_one_that_systemd_takes(env, tmp_path):
    made = hermes(env, "node", "unit")
    assert made.returncode == 0
    program = next(line for line in made.stdout.splitlines() if line.startswith("ExecStart="))
    assert program == f'ExecStart="{HERMES}" node'
    assert f'HERMES_V2_HOME={env["HERMES_V2_HOME"]}"' in made.stdout
    if shutil.which("systemd-analyze") is None or sys.platform != "linux":
        return
    file = tmp_path / "hermes-node.service"
    file.write_text(made.stdout)
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--user", file],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
