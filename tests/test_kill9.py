"""`kill -9` of the owner at random instants, and short commands against a writing chat.

What must hold: an acknowledged message (`turn_started` was seen) is there afterwards, the store
opens, an unfinished write is told to the next one who comes, and no child survives.
"""

import contextlib
import json
import os
import random
import select
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.crash import databases, hammer, integrity
from benchmarks.measure import home
from benchmarks.terminal import terminal

CLI = str(Path(sys.executable).with_name("hermes"))
MARK = "HERMES_KILL9"
SEED = 20261121
ANY = None
FINAL = {"turn_finished", "turn_failed"}


class Owner:
    """A `hermes chat -m` that owns the store, its events, and its end by SIGKILL."""

    def __init__(self, env, *arguments):
        self.events = []
        self._buffer = b""
        self._child = subprocess.Popen(
            [CLI, "chat", "--json", "--yes", *arguments],
            env=env,
            cwd=env["PWD"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def read_until(self, kinds, limit_s):
        """Take events until one of a kind comes, the process ends or the time is over."""
        until = time.monotonic() + limit_s
        stdout = self._child.stdout
        while (left := until - time.monotonic()) > 0 and select.select([stdout], [], [], left)[0]:
            data = os.read(stdout.fileno(), 65536)
            if not data:
                return None
            *lines, self._buffer = (self._buffer + data).split(b"\n")
            fresh = [json.loads(line) for line in lines]
            self.events += fresh
            if found := next((e for e in fresh if kinds is ANY or e["type"] in kinds), None):
                return found
        return None

    def read_some(self, count, limit_s=20):
        """Take events until there are so many, or the turn is over."""
        while len(self.events) < count:
            if self.read_until(ANY, limit_s) is None or self.events[-1]["type"] in FINAL:
                return

    def kill(self):
        """Kill it, take what it still said, and reap it."""
        self._child.send_signal(signal.SIGKILL)
        rest = self._child.communicate()[0]
        lines = (self._buffer + rest).split(b"\n")[:-1]
        self.events += [json.loads(line) for line in lines]

    def finish(self):
        """Let it end by itself."""
        out, err = self._child.communicate(timeout=60)
        self.events += [json.loads(line) for line in (self._buffer + out).splitlines()]
        assert not err or b"locked" not in err
        return self._child.returncode


def processes(mark):
    """Ids of the processes that carry the mark in their environment or arguments."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            with contextlib.suppress(OSError):
                words = (place / "environ").read_bytes() + (place / "cmdline").read_bytes()
                if mark.encode() in words:
                    found.append(int(place.name))
    return found


def wait_gone(mark, limit_s=5.0):
    """Wait for the end of every process with the mark; fail with those that live on."""
    until = time.monotonic() + limit_s
    while found := processes(mark):
        for process in found:
            with contextlib.suppress(ProcessLookupError):
                handle = os.pidfd_open(process)
                left = max(0.0, until - time.monotonic())
                ended = select.select([handle], [], [], left)[0]
                os.close(handle)
                assert ended, f"survived: {Path(f'/proc/{process}/cmdline').read_bytes()!r}"


def call(name, **arguments):
    return {"name": name, "arguments": arguments}


class Case:
    """A way to be busy when the end comes: model, message, and when to strike."""

    def __init__(self, env, rng):
        self.env = env
        self.rng = rng
        # Unique, so that another run's sleepers are not taken for ours.
        self.sleep = f"31.{rng.randrange(10**9):09d}{os.getpid()}"

    def script(self, name, replies):
        path = Path(self.env["PWD"]) / f"{name}.jsonl"
        path.write_text("".join(json.dumps(reply) + "\n" for reply in replies))
        return ("--model", f"scripted:{path}")

    def streaming(self, text):
        """The shipped model answers; the strike falls while the engine loads or among words."""
        (Path(self.env["PWD"]) / "notes.txt").write_text("alpha\n" * 200)
        owner = Owner(self.env, "-m", f"read notes.txt {text}")
        owner.read_some(self.rng.randrange(1, 12))
        owner.read_until(FINAL, self.rng.uniform(0, 0.1 if len(owner.events) == 1 else 0.005))
        return owner

    def tool(self, text):
        """A command writes and sleeps; the strike falls while it runs."""
        command = f"touch began.txt; sleep {self.sleep}"
        model = self.script("tool", [{"tool_calls": [call("Bash", command=command)]}])
        owner = Owner(self.env, "-m", text, *model)
        assert owner.read_until({"tool_started"}, 20), owner.events
        owner.read_until({"tool_finished"}, self.rng.uniform(0, 0.1))
        return owner

    def commit(self, text):
        """Files are written as fast as they can be; the strike falls among the commits."""
        writes = [call("FileWrite", path=f"f{i}.txt", content=text) for i in range(8)]
        replies = [{"tool_calls": writes}] * 3 + [{"text": "done"}]
        owner = Owner(self.env, "-m", text, *self.script("commit", replies))
        owner.read_some(self.rng.randrange(1, 70))
        owner.read_until(FINAL, self.rng.uniform(0, 0.005))
        return owner

    def opening(self, text):
        """The strike falls while it starts and opens the store."""
        model = self.script("opening", [{"text": "pong"}])
        owner = Owner(self.env, "-m", text, *model)
        owner.read_until(FINAL, self.rng.uniform(0, 0.3))
        return owner


def ask(env, *arguments):
    done = subprocess.run(
        [CLI, *arguments], env=env, cwd=env["PWD"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def unfinished_writes(events):
    """Writes that were started and not seen to finish."""
    writes = {e["call_id"] for e in events if e["type"] == "tool_called" and e["effect"] == "write"}
    started = {e["call_id"] for e in events if e["type"] == "tool_started"}
    ended = {e["call_id"] for e in events if e["type"] == "tool_finished"}
    return (writes & started) - ended


def strike(case, kind, number):
    """Kill one owner; returns its message, its conversation ("" if not acknowledged), events."""
    text = f"message {number} {case.rng.randrange(10**12)}"
    owner = getattr(case, kind)(text)
    owner.kill()
    wait_gone(case.env[MARK])
    wait_gone(case.sleep)
    started = next((e for e in owner.events if e["type"] == "turn_started"), None)
    return text, started["conversation_id"] if started else "", owner.events


def kill_often(times, kinds):
    rng = random.Random(SEED)
    with home() as env:
        env[MARK] = f"kill9-{os.getpid()}-{rng.randrange(10**9)}"
        case = Case(env, rng)
        acknowledged = []
        over = 0
        for number in range(times):
            text, conversation, events = strike(case, kinds[number % len(kinds)], number)
            over += any(event["type"] == "turn_finished" for event in events)
            if conversation:
                acknowledged.append((text, conversation))
        assert acknowledged, "no message was acknowledged: the strikes fall too early"
        assert over < times / 2 + 1, "most turns were over: the strikes fall too late"
        for text, conversation in acknowledged:
            shown = json.dumps(ask(env, "conversations", "show", conversation, "--json"))
            assert text in shown
        assert databases(env)
        assert set(integrity(env)) == {"ok"}


@pytest.mark.parametrize("kind", ["streaming", "tool", "commit"])
def test_killed_owner_loses_nothing(kind):
    kill_often(2, [kind])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hundred_killed_owners_lose_nothing():
    kill_often(100, ["streaming", "commit", "tool", "commit", "opening"])


@pytest.fixture
def interrupted():
    """A home where an owner was killed while a command ran: case, conversation."""
    with home() as env:
        env[MARK] = f"kill9-{os.getpid()}-{time.monotonic_ns()}"
        case = Case(env, random.Random(SEED))
        config = Path(env["HERMES_V2_HOME"], "config", "config.toml")
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text('[sandbox]\nbash = "guard"\n')  # else nothing of it would be left
        _, conversation, events = strike(case, "tool", 0)
        assert unfinished_writes(events)
        yield case, conversation


def test_unfinished_write_is_told_in_the_terminal(interrupted):
    case, conversation = interrupted
    command = [CLI, "chat", "--conversation", conversation]
    with terminal(command, case.env) as screen:
        screen.wait_for("unfinished write: Bash", 20)


def test_unfinished_write_is_told_to_a_single_turn(interrupted):
    case, conversation = interrupted
    model = case.script("next", [{"text": "pong"}] * 4)
    owner = Owner(case.env, "--conversation", conversation, "-m", "go on", *model)
    assert owner.finish() == 0
    notices = [e["text"] for e in owner.events if e["type"] == "notice"]
    assert any("Bash" in text and case.sleep in text for text in notices), owner.events


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_short_commands_beside_a_writing_chat():
    report = hammer(200)
    assert report.turns
    assert [one.output for one in report.bad] == []
    assert report.integrity
    assert set(report.integrity) == {"ok"}


def test_integrity_names_damage(tmp_path):
    env = {"HERMES_V2_HOME": str(tmp_path)}
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "store.db"
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE t (a TEXT)")
        database.executemany("INSERT INTO t VALUES (?)", [("x" * 900,)] * 200)
        database.execute("CREATE INDEX i ON t (a)")
    assert integrity(env) == ["ok"]
    with path.open("r+b") as file:
        file.seek(5 * 4096)
        file.write(b"\xff" * 4096)
    assert integrity(env) != ["ok"]
