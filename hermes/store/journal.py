"""The write journal: what a call is about to do, then what became of it.

An intent without an outcome means that nobody knows whether it happened.
"""

from collections.abc import Sequence
from typing import Literal, NewType

import msgspec

from hermes.core.canonical import Value
from hermes.core.clock import Clock
from hermes.core.ids import CallId, Cid, ConversationId, TurnId, uuid7
from hermes.core.message import Message
from hermes.errors import StoreError
from hermes.store.blobs import blob_statement, digest_of
from hermes.store.blocks import record
from hermes.store.database import Database
from hermes.store.messages import appending
from hermes.store.statement import Row, Statement

JournalId = NewType("JournalId", str)
OutcomeWord = Literal["ok", "failed", "interrupted"]

INTENT_KIND = "hermes/intent/1"
OUTCOME_KIND = "hermes/outcome/1"

_COLUMNS = (
    "id, turn, conversation, call, tool, arguments, at, cid, changes, outcome, outcome_text, undone"
)
_INTENT = (
    "INSERT INTO journal (id, turn, conversation, call, tool, arguments, at, cid,"
    " changes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_OUTCOME = (
    "UPDATE journal SET outcome = ?, outcome_text = ?, outcome_at = ?, outcome_cid = ?"
    " WHERE id = ? AND outcome IS NULL"
)


class FileChange(msgspec.Struct, frozen=True):
    """A file's SHA-256 before and after; None: not there."""

    path: str
    before: str | None
    after: str | None


class JournalOutcome(msgspec.Struct, frozen=True):
    """What became of a write."""

    word: OutcomeWord
    text: str

    @property
    def ok(self) -> bool:
        """Whether it was done."""
        return self.word == "ok"


class JournalEntry(msgspec.Struct, frozen=True):
    """One write; `outcome` None while unknown, `undone` the ms when it was taken back."""

    id: JournalId
    turn: TurnId
    conversation: ConversationId
    call: CallId
    tool: str
    arguments: str
    at: int
    cid: Cid
    changes: tuple[FileChange, ...]
    outcome: JournalOutcome | None
    undone: int | None


class Journal:
    """Intents and outcomes of writes, in order."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._open: dict[JournalId, Cid] = {}  # intents of this owner, until their outcome

    async def intend(  # noqa: PLR0913 - an intent is made of these
        self,
        *,
        turn: TurnId,
        conversation: ConversationId,
        call: CallId,
        tool: str,
        arguments: str,
        changes: Sequence[tuple[str, bytes | None, bytes | None]] = (),
        heads: tuple[Cid, ...] | None = None,
    ) -> JournalId:
        """Say what is about to be written; durable on return, earlier contents kept as blobs.

        `changes`: path, bytes before, bytes after. `heads`: the conversation's, where the
        caller knows them.
        """
        entry = JournalId(uuid7())
        now = self._clock.now_ms()
        files = [FileChange(path, _digest(old), _digest(new)) for path, old, new in changes]
        fields: dict[str, Value] = {
            "id": entry, "turn": turn, "conversation": conversation, "call": call,
            "tool": tool, "arguments": arguments, "at": now, "changes": msgspec.to_builtins(files),
        }  # fmt: skip
        heads = await self._heads(conversation) if heads is None else heads
        cid, block = record(INTENT_KIND, heads, fields)
        kept = msgspec.json.encode(files).decode()
        row = (entry, turn, conversation, call, tool, arguments, now, cid, kept)
        await self._database.write(
            *(blob_statement(old) for _, old, _ in changes if old is not None),
            block,
            Statement(_INTENT, row),
        )
        self._open[entry] = cid
        return entry

    async def outcome(
        self,
        entry: JournalId,
        *,
        ok: bool,
        text: str,
        messages: Sequence[Message] = (),
    ) -> None:
        """Say what became of it, with the messages that report it; the first outcome stays.

        Raises StoreError when the entry is unknown or has an outcome.
        """
        more = appending(messages)[1] if messages else []
        await self._close(entry, "ok" if ok else "failed", text, more)

    async def report_interrupted(self, entry: JournalId) -> None:
        """Close an entry whose outcome nobody knows, once the person has been told."""
        await self._close(entry, "interrupted", "", [])

    async def pending(self, turn: TurnId | None = None) -> tuple[JournalEntry, ...]:
        """Intents without an outcome, oldest first."""
        if turn is None:
            return await self._select("WHERE outcome IS NULL ORDER BY seq")
        return await self._select("WHERE turn = ? AND outcome IS NULL ORDER BY seq", (turn,))

    async def of_turn(self, turn: TurnId) -> tuple[JournalEntry, ...]:
        """Everything that a turn wrote, oldest first."""
        return await self._select("WHERE turn = ? ORDER BY seq", (turn,))

    async def before(self, entry: JournalEntry, path: str) -> bytes | None:
        """A file's bytes before the write; None when there was no such file."""
        for change in entry.changes:
            if change.path == path and change.before is not None:
                sql = "SELECT data FROM blobs WHERE digest = ?"
                rows = await self._database.read(sql, (change.before,))
                return bytes(rows[0][0])
        return None

    async def mark_undone(self, entries: Sequence[JournalId]) -> None:
        """Record that the files of these entries were put back."""
        if not entries:
            return
        now = self._clock.now_ms()
        sql = "UPDATE journal SET undone = ? WHERE id = ?"
        await self._database.write(*(Statement(sql, (now, entry), expect=1) for entry in entries))

    async def _close(
        self, entry: JournalId, word: OutcomeWord, text: str, more: Sequence[Statement]
    ) -> None:
        intent = self._open.get(entry) or await self._cid(entry)
        now = self._clock.now_ms()
        fields: dict[str, Value] = {"outcome": word, "text": text, "at": now}
        cid, block = record(OUTCOME_KIND, (intent,), fields)
        row = (word, text, now, cid, entry)
        await self._database.write(block, Statement(_OUTCOME, row, expect=1), *more)
        self._open.pop(entry, None)

    async def _cid(self, entry: JournalId) -> Cid:
        rows = await self._database.read("SELECT cid FROM journal WHERE id = ?", (entry,))
        if not rows:
            raise StoreError(f"no journal entry {entry}")
        return Cid(rows[0][0])

    async def _heads(self, conversation: ConversationId) -> tuple[Cid, ...]:
        sql = "SELECT heads FROM conversations WHERE id = ?"
        rows = await self._database.read(sql, (conversation,))
        return msgspec.json.decode(rows[0][0], type=tuple[Cid, ...]) if rows else ()

    async def _select(
        self, rest: str, parameters: tuple[str, ...] = ()
    ) -> tuple[JournalEntry, ...]:
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM journal {rest}",  # noqa: S608 - constants
            parameters,
        )
        return tuple(map(_entry, rows))


def _entry(row: Row) -> JournalEntry:
    fields = dict(zip(_COLUMNS.split(", "), row, strict=True))
    word, text = fields["outcome"], fields.pop("outcome_text")
    fields["outcome"] = None if word is None else JournalOutcome(word, text)
    fields["changes"] = msgspec.json.decode(fields["changes"], type=tuple[FileChange, ...])
    return JournalEntry(**fields)


def _digest(data: bytes | None) -> str | None:
    return None if data is None else digest_of(data)
