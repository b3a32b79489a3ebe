"""What a person said about skills: one word for each digest of each directory."""

from typing import Literal

import msgspec

from hermes.core.clock import Clock
from hermes.store.database import Database
from hermes.store.statement import Statement

TrustState = Literal["approved", "disabled", "rejected"]

_SAY = """INSERT INTO skill_trust (path, digest, state, at) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (path, digest) DO UPDATE SET state = ?3, at = ?4"""
_ALL = "SELECT path, digest, state, at FROM skill_trust ORDER BY at, path, digest"
_FORGET = "DELETE FROM skill_trust WHERE path = ?"


class Trust(msgspec.Struct, frozen=True):
    """A person's word on a directory at one digest; `at` in ms."""

    path: str
    digest: str
    state: TrustState
    at: int


class SkillTrust:
    """Words on skills, by directory (resolved) and digest of all that lies in it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def say(self, path: str, digest: str, state: TrustState) -> None:
        """Keep a word; it replaces the earlier one on the same digest. Durable."""
        row = (path, digest, state, self._clock.now_ms())
        await self._database.write(Statement(_SAY, row))

    async def all(self) -> tuple[Trust, ...]:
        """Every word, oldest first."""
        return tuple(Trust(*row) for row in await self._database.read(_ALL))

    async def forget(self, path: str) -> None:
        """Drop every word on a directory: what comes there next is new."""
        await self._database.write(Statement(_FORGET, (path,)))
