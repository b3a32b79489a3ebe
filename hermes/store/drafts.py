"""Drafts of skills: what the dreamer wrote, and what the person decided. None of it acts."""

from typing import Literal

import msgspec

from hermes.core.clock import Clock
from hermes.errors import Usage
from hermes.store.database import Database
from hermes.store.statement import Row, SqlValue, Statement, Unmet

DraftState = Literal["open", "approved", "rejected"]

_COLUMNS = "id, project_hash, key, name, text, evidence, state, at, decided"
_KEEP = """INSERT INTO drafts (project_hash, key, name, text, evidence, state, at)
    VALUES (?, ?, ?, ?, ?, 'open', ?) ON CONFLICT (project_hash, key) DO NOTHING"""
_DECIDE = "UPDATE drafts SET state = ?, decided = ? WHERE id = ? AND state = 'open'"


class Evidence(msgspec.Struct, frozen=True):
    """What speaks for a draft; times in ms.

    Attributes:
        kind: `work` was done, or a `habit` was spoken of.
        steps: the pattern's normal forms, in order.
        count: how often it was seen.
        sessions: those it was found in.
        held_out: the session that was not used to find it, and in which it occurred again.
        turns: one turn of each session, the held-out one last.
        first, last: when.
        days: on how many days.
    """

    kind: Literal["work", "habit"]
    steps: tuple[str, ...]
    count: int
    sessions: tuple[str, ...]
    held_out: str
    turns: tuple[str, ...]
    first: int
    last: int
    days: int


class Draft(msgspec.Struct, frozen=True):
    """A draft; `text` is a SKILL.md, `decided` the ms of the person's answer."""

    id: int
    project_hash: str
    key: str
    name: str
    text: str
    evidence: Evidence
    state: DraftState
    at: int
    decided: int | None


class Drafts:
    """All drafts, those that were decided too: a rejected pattern never comes again."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(
        self, project_hash: str, key: str, name: str, text: str, evidence: Evidence
    ) -> int:
        """Keep a draft; returns its id, 0 when its pattern was drafted before."""
        kept = msgspec.json.encode(evidence).decode()
        row = (project_hash, key, name, text, kept, self._clock.now_ms())
        try:
            await self._database.write(Statement(_KEEP, row, expect=1))
        except Unmet:
            return 0
        sql = "SELECT id FROM drafts WHERE project_hash = ? AND key = ?"
        return int((await self._database.read(sql, (project_hash, key)))[0][0])

    async def reword(self, draft: int, text: str) -> None:
        """Put other words into a draft that still waits; one that was decided stays."""
        sql = "UPDATE drafts SET text = ? WHERE id = ? AND state = 'open'"
        await self._database.write(Statement(sql, (text, draft)))

    async def list(self, state: DraftState | None = None) -> tuple[Draft, ...]:
        """Drafts, newest first; `state` None: all."""
        return await self._select(
            "WHERE ?1 IS NULL OR state = ?1 ORDER BY at DESC, id DESC", (state,)
        )

    async def of(self, project_hash: str) -> tuple[Draft, ...]:
        """Every draft of a project, oldest first."""
        return await self._select("WHERE project_hash = ? ORDER BY id", (project_hash,))

    async def get(self, draft: int) -> Draft:
        """One draft; raises Usage when there is none."""
        found = await self._select("WHERE id = ?", (draft,))
        if not found:
            raise Usage(f"no draft {draft}", "see `hermes skills drafts`")
        return found[0]

    async def decide(self, draft: int, state: Literal["approved", "rejected"]) -> None:
        """Write down the person's answer; raises Usage when there is no such open draft."""
        try:
            row = (state, self._clock.now_ms(), draft)
            await self._database.write(Statement(_DECIDE, row, expect=1))
        except Unmet as error:
            known = await self.get(draft)
            raise Usage(f"draft {draft} is {known.state} already") from error

    async def _select(self, rest: str, parameters: tuple[SqlValue, ...]) -> tuple[Draft, ...]:
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM drafts {rest}",  # noqa: S608 - constants
            parameters,
        )
        return tuple(map(_draft, rows))


def _draft(row: Row) -> Draft:
    fields = dict(zip(Draft.__struct_fields__, row, strict=True))
    fields["evidence"] = msgspec.json.decode(fields["evidence"], type=Evidence)
    return Draft(**fields)
