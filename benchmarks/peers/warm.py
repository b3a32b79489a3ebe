"""A turn in a running owner: what Hermes adds to the model's own time.

The owner is a chat left open in a terminal; a second client asks over its socket, so no
process start is in the number. The model's time is the endpoint's own record.
"""

import contextlib
import json
import socket
import stat
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks import Row, at_most, told
from benchmarks.measure import HERMES, fsync_ms, home, median
from benchmarks.peers.service import Service
from benchmarks.startup import PROMPT
from benchmarks.terminal import terminal

FSYNCS = 8
SLACK_MS = 3.0


class Door:
    """A bare client of an owner's socket: newline-delimited JSON-RPC."""

    def __init__(self, path: Path, env: Mapping[str, str]) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._file = self._socket.makefile("rwb")
        self._work = env["PWD"]
        self._number = 0
        json.loads(self._file.readline())  # the greeting

    def turn(self, text: str, model: str) -> list[dict[str, Any]]:
        """Run a turn in a new conversation; its events."""
        self._number += 1
        turn_id = str(uuid.uuid4())
        params = {
            "turn_id": turn_id,
            "text": text,
            "cwd": self._work,
            "root": self._work,
            "model": model,
            "yes": True,
        }
        message = {"jsonrpc": "2.0", "id": self._number, "method": "turn", "params": params}
        self._file.write(json.dumps(message).encode() + b"\n")
        self._file.flush()
        events: list[dict[str, Any]] = []
        while True:
            answer = json.loads(self._file.readline())
            if "error" in answer:
                raise RuntimeError(answer["error"])
            event = answer.get("params") or {}
            if event.get("turn_id") == turn_id:
                events.append(event)
                if event["type"] in {"turn_finished", "turn_failed"}:
                    return events

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()


def _socket_of(env: Mapping[str, str]) -> Path:
    for path in sorted(Path(env["XDG_RUNTIME_DIR"]).rglob("*")):
        if stat.S_ISSOCK(path.stat().st_mode):
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(0.5)
                probe.connect(str(path))
                if b'"hello"' in probe.recv(4096):
                    return path
    raise RuntimeError("no owner's socket in its runtime directory")


@contextlib.contextmanager
def owner(model: str) -> Iterator[tuple[Door, Path]]:
    """Keep a chat open in a terminal; a door to it and its data directory."""
    with home() as env, terminal([HERMES, "chat", "--model", model], env) as screen:
        screen.wait_for(PROMPT, 20)
        (Path(env["PWD"]) / "a.txt").write_text("alpha\n")
        door = Door(_socket_of(env), env)
        try:
            yield door, Path(env["HERMES_V2_HOME"]) / "data"
        finally:
            door.close()


def added_ms(door: Door, model: str, prompt: str, service: Service) -> float:
    """Milliseconds from asking to the final event, less what the model took."""
    since = time.time()
    start = time.perf_counter()
    events = door.turn(prompt, model)
    whole = time.perf_counter() - start
    if events[-1]["type"] != "turn_finished" or events[-1].get("denied"):
        raise RuntimeError(events[-1])
    return (whole - sum(one.done - one.at for one in service.asked(since))) * 1000


def rows(service: Service, times: int) -> list[Row]:
    """One turn with one tool call; a read, and for comparison a shell command."""
    model = f"{service.url}#fake"
    with owner(model) as (door, data):
        disk = fsync_ms(data)
        taken: dict[str, list[float]] = {}
        for _ in range(times):
            for what, prompt in (
                ("FileRead", "SCN_TOOLS=1 SCN_READ=a.txt go"),
                ("Bash", "SCN_TOOLS=1 go"),
                ("no", "ping"),
            ):
                taken.setdefault(what, []).append(added_ms(door, model, prompt, service))
        disk = (disk + fsync_ms(data)) / 2
    limit = round(FSYNCS * disk + SLACK_MS, 1)
    read = median(taken["FileRead"])
    return [
        told("this disk: one fsync", disk, "ms"),
        at_most("running owner: a turn with one read, beyond the model", read, "ms", limit),
        told("running owner: a turn with one Bash, beyond the model", median(taken["Bash"]), "ms"),
        told("running owner: a turn with no tool, beyond the model", median(taken["no"]), "ms"),
    ]
