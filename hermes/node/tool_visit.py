"""A visitor that is one of this owner's own children: a command that the agent runs.

What a person alone may do about versions of this runtime is refused to it. It guards against an
agent that approves its own changes, as far as the kernel knows whose child a process is; it does
not guard against a command that has a process outside of this house do it (cron, systemd).
"""

import os
import socket
import struct
from pathlib import Path

import anyio.to_thread
from anyio.abc import SocketAttribute, SocketStream

from hermes.core.event import Json
from hermes.errors import Refused
from hermes.node.desk import Desk

_PERSONS = frozenset({"successor.answer", "successor.resume", "successor.rollback"})
_DEEP = 64
_CREDENTIALS = struct.Struct("3i")


class ToolDesk(Desk):
    """The owner's counter, with what is not for a command closed."""

    def __init__(self, desk: Desk) -> None:
        self.__dict__ = desk.__dict__  # not a new one: the same, seen by another

    async def query(self, name: str, arguments: dict[str, Json]) -> Json:
        """Look something up or change it; raises Refused for what only a person does."""
        if name in _PERSONS:
            raise Refused(
                "a command that the agent runs has no word on versions of Hermes",
                "say it in a terminal of your own, or by message",
            )
        return await super().query(name, arguments)


async def desk_for(stream: SocketStream, desk: Desk) -> Desk:
    """The counter for whoever is at the other end of a socket."""
    raw = stream.extra_attributes[SocketAttribute.raw_socket]()
    own = await anyio.to_thread.run_sync(_is_own, raw)
    return ToolDesk(desk) if own else desk


def _is_own(raw: socket.socket) -> bool:
    if not hasattr(socket, "SO_PEERCRED"):
        return False
    told = raw.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, us = _CREDENTIALS.unpack(told)[0], os.getpid()
    if pid == us:
        return False
    for _ in range(_DEEP):
        pid = _parent(pid)
        if pid in {0, us}:
            return pid == us
    return True


def _parent(pid: int) -> int:
    """A process's parent; 0: none that is known."""
    try:
        # After the name, which may hold anything: state, then the parent.
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0
