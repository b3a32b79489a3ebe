"""Compacted views of conversations, kept so that they outlive a restart; safe to lose."""

import msgspec

from hermes.core.clock import Clock
from hermes.core.ids import ConversationId
from hermes.store.database import Database
from hermes.store.statement import Statement

_SELECT = """SELECT prefix, covers, cut, size, scale FROM views
    WHERE conversation = ? AND model = ?"""
_PUT = """INSERT OR REPLACE INTO views (conversation, model, prefix, covers, cut, size, scale, at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""


class StoredView(msgspec.Struct, frozen=True):
    """A view as it lies on the disk.

    `prefix`: CIDs of the newest of the `covers` messages that it was made on; `cut`: JSON;
    `size`: the window in tokens; `scale`: bytes a token.
    """

    prefix: str
    covers: int
    cut: str
    size: int
    scale: float


class Views:
    """The newest view of each conversation and model."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get(self, conversation: ConversationId, model: str) -> StoredView | None:
        """The view of one conversation; None where there is none."""
        rows = await self._database.read(_SELECT, (conversation, model))
        return StoredView(*rows[0]) if rows else None

    async def put(self, conversation: ConversationId, model: str, view: StoredView) -> None:
        """Keep a view in place of the one before."""
        values = msgspec.structs.astuple(view)
        await self._database.write(
            Statement(_PUT, (conversation, model, *values, self._clock.now_ms()))
        )
