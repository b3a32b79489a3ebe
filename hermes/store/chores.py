"""What is kept of the background chores: whether a person paused one, and what it last did."""

import msgspec

from hermes.core.clock import Clock
from hermes.store.database import Database
from hermes.store.statement import Statement

_SELECT = "SELECT name, paused, started, finished, result FROM chores"
_PAUSE = """INSERT INTO chores (name, paused, result) VALUES (?1, ?2, '')
    ON CONFLICT (name) DO UPDATE SET paused = ?2"""
_RAN = """INSERT INTO chores (name, paused, started, finished, result) VALUES (?1, 0, ?2, ?3, ?4)
    ON CONFLICT (name) DO UPDATE SET started = ?2, finished = ?3, result = ?4"""


class Chore(msgspec.Struct, frozen=True):
    """One chore's record; times in ms, None: it never ran; `result` in plain words."""

    name: str
    paused: bool = False
    started: int | None = None
    finished: int | None = None
    result: str = ""


class ChoreBook:
    """The chores by name."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get(self, name: str) -> Chore:
        """One chore; a blank record where nothing is known of it."""
        rows = await self._database.read(f"{_SELECT} WHERE name = ?", (name,))
        return Chore(rows[0][0], bool(rows[0][1]), *rows[0][2:]) if rows else Chore(name)

    async def pause(self, name: str, *, paused: bool) -> None:
        """Pause a chore, or let it go on; durable."""
        await self._database.write(Statement(_PAUSE, (name, int(paused))))

    async def ran(self, name: str, started: int, result: str) -> None:
        """Note that a run which began at `started` (ms) ended now."""
        row = (name, started, self._clock.now_ms(), result)
        await self._database.write(Statement(_RAN, row))
