"""The calendar's memory: commitments that it promised to anchor, in batches.

Rows only; what a root or a tail is worth is `hermes.chain.calendar`'s business.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from hermes.core.clock import Clock
from hermes.store.database import Database
from hermes.store.statement import Row, Statement

BatchState = Literal["closed", "settled", "final"]

_ADD = "INSERT INTO calendar_promises (commitment, at) VALUES (?, ?)"
_OPEN = """SELECT seq, commitment FROM calendar_promises WHERE batch IS NULL
    ORDER BY seq LIMIT ?"""
_CLOSE = """INSERT INTO calendar_batches (root, size, closed) VALUES (?, ?, ?)"""
_TAKE = """UPDATE calendar_promises SET batch = (SELECT id FROM calendar_batches WHERE root = ?)
    WHERE batch IS NULL AND seq <= ?"""
_COLUMNS = "id, root, size, closed, state, height, block, tail"
_FIND = f"""SELECT seq, {_COLUMNS} FROM calendar_promises
    LEFT JOIN calendar_batches ON id = batch WHERE commitment = ?"""  # noqa: S608 - constants
_SETTLE = """UPDATE calendar_batches SET state = ?, height = ?, block = ?, tail = ? WHERE id = ?"""
_COUNTS = """SELECT
    (SELECT coalesce(max(seq), 0) FROM calendar_promises),
    (SELECT count(*) FROM calendar_promises WHERE batch IS NULL),
    (SELECT count(*) FROM calendar_batches),
    (SELECT count(*) FROM calendar_batches WHERE tail IS NULL)"""


class StampBatch(msgspec.Struct, frozen=True):
    """Commitments under one root; `tail` leads on into block `height`, None while in none."""

    id: int
    root: bytes
    size: int
    closed: int
    state: BatchState
    height: int | None
    block: str | None
    tail: bytes | None


class Kept(msgspec.Struct, frozen=True):
    """Where a commitment stands: its row, and its batch once it has one."""

    seq: int
    batch: StampBatch | None


class Stamps:
    """Promises and batches of this node's calendar."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, commitment: bytes) -> None:
        """Keep a commitment; on disk when this returns. Raises StoreError."""
        await self._database.write(Statement(_ADD, (commitment, self._clock.now_ms())))

    async def find(self, commitment: bytes) -> Kept | None:
        """Where a commitment stands; None when nobody promised it."""
        rows = await self._database.read(_FIND, (commitment,))
        if not rows:
            return None
        seq, *batch = rows[0]
        return Kept(seq, None if batch[0] is None else StampBatch(*batch))

    async def waiting(self, most: int) -> tuple[tuple[int, bytes], ...]:
        """Rows and commitments that are in no batch, oldest first."""
        return tuple((seq, raw) for seq, raw in await self._database.read(_OPEN, (most,)))

    async def close(self, root: bytes, taken: Sequence[tuple[int, bytes]]) -> None:
        """Make one batch of what `waiting` gave; raises Unmet when that has changed."""
        await self._database.write(
            Statement(_CLOSE, (root, len(taken), self._clock.now_ms())),
            Statement(_TAKE, (root, taken[-1][0]), expect=len(taken)),
        )

    async def leaves(self, batch: int) -> tuple[tuple[int, bytes], ...]:
        """A batch's rows and commitments, in the order of its tree."""
        sql = "SELECT seq, commitment FROM calendar_promises WHERE batch = ? ORDER BY seq"
        return tuple((seq, raw) for seq, raw in await self._database.read(sql, (batch,)))

    async def unfinished(self) -> tuple[StampBatch, ...]:
        """Batches that a reorganisation of the chain can still touch, oldest first."""
        sql = f"SELECT {_COLUMNS} FROM calendar_batches WHERE state <> 'final' ORDER BY id"  # noqa: S608
        return tuple(map(_batch, await self._database.read(sql)))

    async def latest(self, most: int) -> tuple[StampBatch, ...]:
        """The newest batches, newest first."""
        sql = f"SELECT {_COLUMNS} FROM calendar_batches ORDER BY id DESC LIMIT ?"  # noqa: S608
        return tuple(map(_batch, await self._database.read(sql, (most,))))

    async def attach(
        self, batch: int, state: BatchState, height: int, block: str, tail: bytes
    ) -> None:
        """Say in which block a batch stands."""
        await self._database.write(Statement(_SETTLE, (state, height, block, tail, batch)))

    async def detach(self, batch: int) -> None:
        """Take that back: the block is no longer part of the chain."""
        await self._database.write(Statement(_SETTLE, ("closed", None, None, None, batch)))

    async def counts(self) -> dict[str, int]:
        """How many promises, batches, and what still waits."""
        names = ("promises", "waiting", "batches", "unattested")
        return dict(zip(names, (await self._database.read(_COUNTS))[0], strict=True))


def _batch(row: Row) -> StampBatch:
    return StampBatch(*row)
