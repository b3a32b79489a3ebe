"""Somebody who has the `hermes` command, a home and a project, and nothing else of ours."""

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import HERMES, home

LIMIT_S = 50
FINAL = ("turn_finished", "turn_failed")


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def last(self) -> dict:
        return self.events[-1]

    @property
    def conversation(self) -> str:
        return self.events[0]["conversation_id"]

    def of(self, kind: str) -> list[dict]:
        return [event for event in self.events if event["type"] == kind]


class Live:
    """A `hermes chat --json` that runs; `events` so far."""

    def __init__(self, child: subprocess.Popen) -> None:
        self.child = child
        self.pid = child.pid
        self.events: list[dict] = []
        self._rest = b""

    def until(self, kind: str, limit_s: float = LIMIT_S) -> dict:
        """Take events until one of this kind comes; AssertionError when none does."""
        end = time.monotonic() + limit_s
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.child.stdout], [], [], left)[0]:
                break
            data = os.read(self.child.stdout.fileno(), 65_536)
            if not data:
                break
            *lines, self._rest = (self._rest + data).split(b"\n")
            fresh = [json.loads(line) for line in lines]
            self.events += fresh
            if found := next((event for event in fresh if event["type"] == kind), None):
                return found
        raise AssertionError(f"no {kind}: {[event['type'] for event in self.events]}")

    def signal(self, number: int) -> None:
        self.child.send_signal(number)

    def end(self) -> int:
        """Wait for its end; every event is in `events` then."""
        out, err = self.child.communicate(timeout=LIMIT_S)
        self.events += [json.loads(line) for line in (self._rest + out).splitlines()]
        assert b"Traceback" not in err, err
        return self.child.returncode


class Stranger:
    """`env` is all that the commands know; `project` is where they are run."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env
        self.base = Path(env["HOME"])
        self.state = Path(env["HERMES_V2_HOME"])
        self.project = Path(env["PWD"])
        self._scripts = 0

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def config(self, text: str) -> None:
        path = self.state / "config" / "config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(self, *words, stdin: str | None = None, env=None, check: bool = False) -> Done:
        done = subprocess.run(
            [HERMES, *words],
            env=self.env | (env or {}),
            cwd=self.project,
            input=stdin.encode() if stdin is not None else None,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=LIMIT_S,
            check=False,
        )
        told = Done(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert "Traceback" not in told.err, told.err
        assert not check or told.code == 0, told
        return told

    def plain(self, command, **more) -> subprocess.CompletedProcess[str]:
        """Any command, and whatever it says."""
        return subprocess.run(
            command,
            env=self.env,
            cwd=self.project,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
            **more,
        )

    def ask(self, text: str, *words, **more) -> Done:
        """One turn; its events."""
        return self.run("chat", "--json", "-m", text, *words, **more)

    def start(self, text: str, *words) -> Live:
        """Begin one turn."""
        command = [HERMES, "chat", "--json", "-m", text, *words]
        return Live(
            subprocess.Popen(
                command,
                env=self.env,
                cwd=self.project,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        )

    def script(self, *lines: dict) -> tuple[str, str]:
        """A model that plays these replies, as words of a command."""
        self._scripts += 1
        path = self.base / f"script{self._scripts}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return "--model", f"scripted:{path}"

    def shown(self, conversation: str) -> dict:
        done = self.run("conversations", "show", conversation, "--json", check=True)
        return json.loads(done.out)


@contextlib.contextmanager
def at_home():
    with home() as env:
        yield Stranger(env)


def call(name: str, **arguments) -> dict:
    """A reply that asks for one tool."""
    return calls((name, arguments))


def calls(*asked: tuple[str, object]) -> dict:
    """A reply that asks for several tools; arguments as an object or as raw text."""
    return {"tool_calls": [{"name": name, "arguments": given} for name, given in asked]}


def descendants(pid: int) -> list[int]:
    """Everything below a process."""
    found = [pid]
    for parent in found:  # grows as it goes
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += [int(word) for word in (task / "children").read_text().split()]
    return found[1:]


def words_of(pid: int) -> str:
    """A process's command line; empty when it is gone or a zombie."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def with_words(words: str) -> list[int]:
    """Processes that have these words on their command line, this one not counted."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if pid != os.getpid() and words in words_of(pid)]


def wait_gone(pids: list[int], limit_s: float = 10.0) -> None:
    """Wait for processes to end; AssertionError naming one that lives on."""
    end = time.monotonic() + limit_s
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(pid)
            gone = select.select([handle], [], [], max(0.0, end - time.monotonic()))[0]
            os.close(handle)
            assert gone, f"survived: {pid} {words_of(pid)}"


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
