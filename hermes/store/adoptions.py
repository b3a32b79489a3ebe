"""Approvals and adoptions as rows over their blocks: who said yes to what, and what came of it."""

from typing import Literal

import msgspec

from hermes.core.canonical import Block
from hermes.core.clock import Clock
from hermes.core.ids import Cid
from hermes.errors import Refused
from hermes.store.acts import Acts
from hermes.store.database import Database
from hermes.store.statement import SqlValue, Statement, Unmet

Answer = Literal["approve", "reject"]
Door = Literal["terminal", "dm", "node"]
Outcome = Literal["kept", "rolled back", "failed"]

_APPROVAL = """INSERT INTO gate_approvals
    (cid, candidate, verdict, answer, who, door, diff, reason, by, at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_APPROVALS = """SELECT cid, candidate, verdict, answer, who, door, diff, reason, by, at
    FROM gate_approvals WHERE candidate = ? ORDER BY seq"""
_ADOPTION = """INSERT INTO adoptions
    (cid, candidate, verdict, tag, version, previous, tree, by, at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_END = """UPDATE adoptions SET outcome = ?, why = ?, ended = ?, outcome_cid = ?
    WHERE cid = ? AND (outcome IS NULL OR outcome = 'kept')"""
_ADOPTIONS = """SELECT cid, candidate, verdict, tag, version, previous, tree, by, at, outcome,
    why, ended FROM adoptions"""
_MARK = """INSERT INTO gate_marks (name, at) VALUES (?, ?)
    ON CONFLICT (name) DO UPDATE SET at = excluded.at"""


class ApprovalRow(msgspec.Struct, frozen=True):
    """One word on a candidate: `who` said it through which `door`, having seen `diff` (SHA-256).

    `by` is the key that signed it, empty where nobody did.
    """

    cid: Cid
    candidate: Cid
    verdict: Cid
    answer: Answer
    who: str
    door: Door
    diff: str
    reason: str
    by: str
    at: int


class AdoptionRow(msgspec.Struct, frozen=True):
    """A version that a candidate became; `version` is the git commit, `previous` a tag or ""."""

    cid: Cid
    candidate: Cid
    verdict: Cid
    tag: str
    version: str
    previous: str
    tree: str
    by: str
    at: int
    outcome: Outcome | None = None
    why: str | None = None
    ended: int | None = None


class Adoptions:
    """What was approved and adopted here. Kinds and blocks are the caller's, who signs them."""

    def __init__(self, database: Database, acts: Acts, clock: Clock) -> None:
        self._database = database
        self._acts = acts
        self._clock = clock

    async def answer(self, kind: str, block: Block, row: ApprovalRow) -> None:
        """Keep a word on a candidate."""
        await self._acts.add(kind, row.candidate, block, Statement(_APPROVAL, _values(row)))

    async def answers(self, candidate: Cid) -> tuple[ApprovalRow, ...]:
        """Every word on a candidate, oldest first."""
        rows = await self._database.read(_APPROVALS, (candidate,))
        return tuple(ApprovalRow(*row) for row in rows)

    async def adopt(self, kind: str, block: Block, row: AdoptionRow) -> None:
        """Write down that a version is about to be made; on disk when this returns."""
        await self._acts.add(kind, row.candidate, block, Statement(_ADOPTION, _values(row)[:9]))

    async def end(self, kind: str, block: Block, adoption: Cid, outcome: Outcome, why: str) -> None:
        """Write down what became of it; raises Refused when that is known already."""
        row = (outcome, why, self._clock.now_ms(), block.cid, adoption)
        try:
            await self._acts.add(kind, adoption, block, Statement(_END, row, expect=1))
        except Unmet as error:
            raise Refused("what became of this adoption is written down already") from error

    async def list(self) -> tuple[AdoptionRow, ...]:
        """Every adoption, oldest first."""
        rows = await self._database.read(f"{_ADOPTIONS} ORDER BY seq")
        return tuple(AdoptionRow(*row) for row in rows)

    async def of(self, candidate: Cid) -> tuple[AdoptionRow, ...]:
        """The adoptions of a candidate, oldest first."""
        rows = await self._database.read(
            f"{_ADOPTIONS} WHERE candidate = ? ORDER BY seq", (candidate,)
        )
        return tuple(AdoptionRow(*row) for row in rows)

    async def tagged(self, tag: str) -> AdoptionRow | None:
        """The adoption that made a version."""
        rows = await self._database.read(f"{_ADOPTIONS} WHERE tag = ?", (tag,))
        return AdoptionRow(*rows[0]) if rows else None

    async def mark(self, name: str) -> None:
        """Remember that something was done now."""
        await self._database.write(Statement(_MARK, (name, self._clock.now_ms())))

    async def marked(self, name: str) -> int:
        """When it was done last (ms UTC), 0: never."""
        rows = await self._database.read("SELECT at FROM gate_marks WHERE name = ?", (name,))
        return int(rows[0][0]) if rows else 0


def _values(row: msgspec.Struct) -> tuple[SqlValue, ...]:
    return tuple(msgspec.structs.astuple(row))
