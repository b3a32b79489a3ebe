"""How contributions travel: the protocol that a directory, sockets and later the mesh fulfil.

A place where names of a round hold bytes that never change, and where the first to settle a
round decides for all whose contributions count. Bytes in and out; what they mean is not known.
"""

import re
from typing import Protocol

import msgspec

from hermes.errors import SyncRefused

WORKER = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
STATE = "state"
MOST_WORKERS = 256

_NAME = re.compile(rf"(?:here|delta)\.{WORKER.pattern}|{STATE}")


class Look(msgspec.Struct, frozen=True):
    """A round as it stands: who works on it, who delivered, and who counts once it is settled."""

    here: tuple[str, ...] = ()
    delivered: tuple[str, ...] = ()
    settled: tuple[str, ...] | None = None


class Transport(Protocol):
    """Where workers meet.

    Raises SyncRefused for what cannot be, SyncUnreachable where nobody answers.
    """

    async def publish(self, round_number: int, name: str, data: bytes) -> bool:
        """Put bytes under `here.WORKER`, `delta.WORKER` or `state`.

        False where the name is taken, or the round settled (a state may come later).
        """
        ...

    async def fetch(self, round_number: int, name: str, limit: int) -> bytes:
        """The bytes under a name, at most `limit`."""
        ...

    async def look(self, round_number: int, seen: Look | None = None, wait_s: float = 0) -> Look:
        """The round as it stands; with `seen`, once it differs or the time is up."""
        ...

    async def settle(self, round_number: int, workers: tuple[str, ...]) -> tuple[str, ...]:
        """Propose whose contributions count; what the first proposal said comes back."""
        ...

    async def states(self) -> tuple[int, ...]:
        """The rounds whose states are held, in order."""
        ...


def check_name(name: str) -> str:
    """A name that may be published."""
    if not _NAME.fullmatch(name):
        raise SyncRefused(f"{name[:60]!r} is no name of a contribution or a state")
    return name


def check_worker(name: str) -> str:
    """A worker's name."""
    if not WORKER.fullmatch(name):
        raise SyncRefused(
            f"{name[:60]!r} is no name for a worker", "use up to 40 of a-z, 0-9 and the hyphen"
        )
    return name
