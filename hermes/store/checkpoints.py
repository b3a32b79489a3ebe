"""Signed checkpoints of this store's log, as the notes they are.

Whose signatures they bear is checked in `hermes.identity`; here only that they are of this
log.
"""

from hermes.core.checkpoint import Checkpoint, checkpoint_in
from hermes.errors import ProofInvalid
from hermes.store.database import Database
from hermes.store.merkle_log import MerkleLog
from hermes.store.statement import SqlValue, Statement

_ADD = "INSERT INTO checkpoints (size, note) VALUES (?, ?) ON CONFLICT (size, note) DO NOTHING"
_LATEST = "SELECT note FROM checkpoints ORDER BY size DESC, seq DESC LIMIT 1"
_AT = "SELECT note FROM checkpoints WHERE size = ? ORDER BY seq DESC LIMIT 1"
_ALL = "SELECT note FROM checkpoints ORDER BY size, seq"


class Checkpoints:
    """Notes by the size of the log that they are of."""

    def __init__(self, database: Database, log: MerkleLog) -> None:
        self._database = database
        self._log = log

    async def add(self, note: str) -> Checkpoint:
        """Keep a signed note; one that is there already stays.

        Raises:
            ProofInvalid: it is no checkpoint, or not one of this log.
            Usage: the log is not that long.
        """
        try:
            found = checkpoint_in(note)
        except ValueError as error:
            raise ProofInvalid(f"not a signed checkpoint: {error}") from error
        if await self._log.root(found.size) != found.root:
            raise ProofInvalid(
                f"a checkpoint of {found.size} leaves with another root than this log's"
            )
        await self._database.write(Statement(_ADD, (found.size, note)))
        return found

    async def latest(self) -> str | None:
        """The note of the largest log; of several the newest."""
        return await self._one(_LATEST)

    async def at(self, size: int) -> str | None:
        """The newest note of the log of this size."""
        return await self._one(_AT, (size,))

    async def list(self) -> tuple[str, ...]:
        """All notes, by size."""
        return tuple(note for (note,) in await self._database.read(_ALL))

    async def _one(self, sql: str, parameters: tuple[SqlValue, ...] = ()) -> str | None:
        rows = await self._database.read(sql, parameters)
        return rows[0][0] if rows else None
