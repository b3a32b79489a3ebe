"""A chat left open in a terminal, which owns the store, and a bare client of its socket.

The client knows nothing but docs/events.md, so what it sees is what any front end sees.
"""

import contextlib
import json
import socket
import stat
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.measure import HERMES
from benchmarks.terminal import terminal

PROMPT = "(?m)^[\u203a>]"
"""What the chat shows when it takes a message."""

FINAL = frozenset({"turn_finished", "turn_failed"})


class Door:
    """A connection to an owner: newline-delimited JSON-RPC."""

    def __init__(self, path: Path, env: Mapping[str, str]) -> None:
        self._at, self._env = path, env
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._file = self._socket.makefile("rwb")
        self._work = env["PWD"]
        self._number = 0
        json.loads(self._file.readline())  # the greeting

    def turn(self, text: str, model: str = "", conversation: str = "") -> list[dict[str, Any]]:
        """Run a turn, in a new conversation if none is named; its events, `seen` when."""
        self._number += 1
        turn_id = str(uuid.uuid4())
        params = {
            "turn_id": turn_id,
            "text": text,
            "cwd": self._work,
            "root": self._work,
            "model": model,
            "yes": True,
            "conversation_id": conversation,
        }
        message = {"jsonrpc": "2.0", "id": self._number, "method": "turn", "params": params}
        self._file.write(json.dumps(message).encode() + b"\n")
        self._file.flush()
        events: list[dict[str, Any]] = []
        while line := self._file.readline():
            answer = json.loads(line)
            if "error" in answer:
                raise RuntimeError(answer["error"])
            event = answer.get("params") or {}
            if event.get("turn_id") == turn_id:
                events.append(event | {"seen": time.perf_counter()})
                if event["type"] in FINAL:
                    return events
        raise EOFError("the owner hung up")

    @property
    def pid(self) -> int:
        """The owner's process."""
        credentials = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return int.from_bytes(credentials[:4], sys.byteorder)

    def query(self, name: str, **arguments: Any) -> Any:
        """Ask for something by name; its answer."""
        self._number += 1
        params = {"name": name, "arguments": arguments}
        message = {"jsonrpc": "2.0", "id": self._number, "method": "query", "params": params}
        self._file.write(json.dumps(message).encode() + b"\n")
        self._file.flush()
        while line := self._file.readline():
            answer = json.loads(line)
            if "error" in answer:
                raise RuntimeError(answer["error"])
            if answer.get("id") == self._number:
                return answer["result"]
        raise EOFError("the owner hung up")

    def another(self) -> "Door":
        """A second connection to the same owner."""
        return Door(self._at, self._env)

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
def owner(env: Mapping[str, str], *arguments: str) -> Iterator[Door]:
    """Keep `hermes chat ARGUMENTS` open for as long as the block lasts."""
    with terminal([HERMES, "chat", *arguments], env) as screen:
        screen.wait_for(PROMPT, 20)
        door = Door(_socket_of(env), env)
        try:
            yield door
        finally:
            door.close()
