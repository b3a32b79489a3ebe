"""Whole conversations for reading only: what curating sees of a store, live or at rest.

Apart from `Store`, whose opening belongs to the owner: nothing here can write or migrate. A
conversation counts as private when it is marked, or when it shares messages with one that is.
"""

import sqlite3
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

from hermes.core.ids import Cid, ConversationId, TurnId
from hermes.core.message import Message
from hermes.errors import NotAvailable, StoreNewer
from hermes.store.failures import corrupt, store_error
from hermes.store.messages import HISTORY, heads_json, in_order
from hermes.store.migrations import found
from hermes.store.opening import open_reader
from hermes.store.readers import Readers
from hermes.store.schema import plan
from hermes.store.statement import Row
from hermes.store.turns import TurnState

_LIST = """SELECT id, root, created, updated, private FROM conversations
    WHERE (?1 IS NULL OR root = ?1) AND updated >= ?2 ORDER BY created, id"""
_ONE = "SELECT heads, root FROM conversations WHERE id = ?"
_HIDDEN = """SELECT count(*) FROM conversations
    WHERE private <> 0 AND id IN (SELECT value FROM json_each(?))"""
# Records come from other nodes, too (replication): what was done in those is not known here.
_STATES = """SELECT t.id, t.state FROM turns AS t JOIN sessions AS s ON s.id = t.session
    WHERE t.id IN (SELECT value FROM json_each(?))"""
_WRITES = """SELECT turn, outcome, undone FROM journal
    WHERE turn IN (SELECT value FROM json_each(?))"""
_ANSWERS = "SELECT turn, answer FROM approvals WHERE turn IN (SELECT value FROM json_each(?))"


class Entry(msgspec.Struct, frozen=True):
    """One line of the list of conversations; times in ms."""

    id: ConversationId
    root: str
    created: int
    updated: int
    private: bool


class TurnFacts(msgspec.Struct, frozen=True):
    """What became of a turn; `state` None: this store never ran it (it came from elsewhere)."""

    state: TurnState | None
    failed_write: bool = False
    undone: bool = False
    refused: bool = False


class Transcript(msgspec.Struct, frozen=True):
    """A conversation's history, oldest first, and the facts about each of its turns."""

    id: ConversationId
    root: str
    messages: tuple[Message, ...]
    facts: dict[TurnId, TurnFacts]


class Transcripts:
    """A store's conversations; made by `open`."""

    def __init__(self, path: Path, readers: Readers) -> None:
        self.path = path
        self._readers = readers

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncGenerator["Transcripts"]:
        """Open for reading; the store's owner may be at work.

        Raises:
            NotAvailable: there is no store at `path`.
            StoreCorrupt, StoreNewer, StoreBusy: as their texts say.
        """
        await anyio.to_thread.run_sync(_check, path)
        readers = Readers(path, 1)
        try:
            yield cls(path, readers)
        finally:
            with anyio.CancelScope(shield=True):
                await readers.close()

    async def list(self, root: str | None = None, since: int = 0) -> tuple[Entry, ...]:
        """Conversations used at or after `since` (ms), oldest first; `root` None: everywhere."""
        rows = await self._readers.read(_LIST, (root, since))
        return tuple(
            Entry(identity, where, created, updated, bool(private))
            for identity, where, created, updated, private in rows
        )

    async def read(self, conversation: ConversationId) -> Transcript | None:
        """One conversation; None when any of its messages is private, or it is gone.

        Privacy is asked after the messages were read, so that a mark set meanwhile counts.
        """
        rows = await self._readers.read(_ONE, (conversation,))
        if not rows:
            return None
        heads = msgspec.json.decode(rows[0][0], type=tuple[Cid, ...])
        history = await self._readers.read(HISTORY, (heads_json(heads),))
        stored = await anyio.to_thread.run_sync(partial(self._decoded, history, heads))
        turns = _json({message.turn for message in stored})
        facts = _facts(
            await self._readers.read(_STATES, (turns,)),
            await self._readers.read(_WRITES, (turns,)),
            await self._readers.read(_ANSWERS, (turns,)),
        )
        origins = _json({conversation, *(message.conversation for message in stored)})
        if (await self._readers.read(_HIDDEN, (origins,)))[0][0]:
            return None
        known = {message.turn: facts.get(message.turn, TurnFacts(None)) for message in stored}
        return Transcript(conversation, rows[0][1], stored, known)

    def _decoded(self, rows: Sequence[Row], heads: Sequence[Cid]) -> tuple[Message, ...]:
        try:
            return tuple(stored.message for stored in in_order(rows, heads))
        except ValueError as error:
            raise corrupt(self.path, str(error)) from error


def _check(path: Path) -> None:
    if not path.is_file():
        raise NotAvailable(f"there is no store at {path}", "talk with Hermes first: hermes chat")
    if path.stat().st_size == 0:
        raise corrupt(path, "the file is empty")
    wanted = plan("")
    try:
        database = open_reader(path)
        try:
            if database.execute("PRAGMA application_id").fetchone()[0] != wanted.application:
                raise corrupt(path, "it is a database of another kind")
            found(database, wanted)
        finally:
            database.close()
    except StoreNewer as newer:
        raise StoreNewer(f"{path}: {newer.message}", newer.remedy) from newer
    except sqlite3.Error as error:
        raise store_error(error, path) from error
    except (KeyError, ValueError) as error:
        raise corrupt(path, f"its books are missing: {error}") from error


def _facts(
    states: Sequence[Row], writes: Sequence[Row], answers: Sequence[Row]
) -> dict[TurnId, TurnFacts]:
    failed = {turn for turn, outcome, _ in writes if outcome != "ok"}
    undone = {turn for turn, _, undone in writes if undone is not None}
    refused = {turn for turn, answer in answers if answer not in {"yes", "always"}}
    return {
        turn: TurnFacts(state, turn in failed, turn in undone, turn in refused)
        for turn, state in states
    }


def _json(values: set[TurnId] | set[ConversationId]) -> str:
    return msgspec.json.encode(sorted(values)).decode()
