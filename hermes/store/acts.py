"""Identity acts and everything else that is attested: blocks by kind and subject.

A block is the act; its row only says how to find it. Acts are never changed or removed.
"""

from typing import NamedTuple

from hermes.core.canonical import Block
from hermes.core.clock import Clock
from hermes.core.ids import Cid
from hermes.store.blocks import block_statement
from hermes.store.database import Database
from hermes.store.statement import Statement

ACTS = (
    """CREATE TABLE acts (
        seq INTEGER PRIMARY KEY, cid TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
        subject TEXT NOT NULL, at INTEGER NOT NULL)""",
    "CREATE INDEX acts_of ON acts (kind, subject, seq)",
)

_ADD = "INSERT INTO acts (cid, kind, subject, at) VALUES (?, ?, ?, ?) ON CONFLICT (cid) DO NOTHING"
_SINCE = """SELECT a.seq, a.cid, a.kind, a.subject, a.at, CAST(b.data AS BLOB)
    FROM acts AS a JOIN blocks AS b ON b.cid = a.cid WHERE a.seq > ?"""
_FIND = """SELECT a.seq, a.cid, a.kind, a.subject, a.at, CAST(b.data AS BLOB)
    FROM acts AS a JOIN blocks AS b ON b.cid = a.cid WHERE a.kind = ?"""


class Act(NamedTuple):
    """An act as it is stored; `at` in ms UTC is when this store took it."""

    seq: int
    cid: Cid
    kind: str
    subject: str
    at: int
    data: bytes


class Acts:
    """Acts by kind; a subject is what an act is about: a key, a digest, a version."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, kind: str, subject: str, block: Block, *more: Statement) -> None:
        """Keep an act; one that is there already stays as it is. `more`: in the same write."""
        row = (block.cid, kind, subject, self._clock.now_ms())
        await self._database.write(*more, block_statement(kind, block), Statement(_ADD, row))

    async def list(self, kind: str, subject: str | None = None) -> tuple[Act, ...]:
        """The acts of a kind, oldest first."""
        return await self._found("ORDER BY a.seq", kind, subject)

    async def since(self, seq: int, kinds: tuple[str, ...]) -> tuple[Act, ...]:
        """The acts of some kinds that came after the one numbered `seq`, oldest first."""
        marks = ", ".join("?" * len(kinds))
        rows = await self._database.read(
            f"{_SINCE} AND a.kind IN ({marks}) ORDER BY a.seq",
            (seq, *kinds),
        )
        return tuple(Act(*row) for row in rows)

    async def latest(self, kind: str, subject: str | None = None) -> Act | None:
        """The newest act of a kind."""
        found = await self._found("ORDER BY a.seq DESC LIMIT 1", kind, subject)
        return found[0] if found else None

    async def _found(self, order: str, kind: str, subject: str | None) -> tuple[Act, ...]:
        which = (kind,) if subject is None else (kind, subject)
        about = "" if subject is None else "AND a.subject = ?"
        rows = await self._database.read(f"{_FIND} {about} {order}", which)
        return tuple(Act(*row) for row in rows)
