"""Turns: what was asked, in what state it is, and how it ended."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from hermes.core.clock import Clock
from hermes.core.ids import ConversationId, NodeId, SessionId, TurnId
from hermes.core.message import Message
from hermes.core.request import TurnRequest
from hermes.errors import StoreError
from hermes.store.conversations import NewConversation, creating, unknown
from hermes.store.database import Database
from hermes.store.messages import appending
from hermes.store.sessions import opening
from hermes.store.statement import Row, Statement, Unmet

TurnState = Literal["running", "finished", "failed", "stopped", "interrupted"]

_COLUMNS = (
    "id, conversation, session, state, request, started, finished, attempts, text, error,"
    " remedy, usage"
)
_INSERT = (
    "INSERT INTO turns (id, conversation, session, state, request, started)"
    " VALUES (?, ?, ?, 'running', ?, ?) ON CONFLICT (id) DO NOTHING"
)
_TYPED = """SELECT id, json_extract(CAST(request AS TEXT), '$.typed') AS typed FROM turns
    WHERE id IN (SELECT value FROM json_each(?)) AND typed >= 0"""
_FINISH = """UPDATE turns SET
    state = ?, text = ?, error = ?, remedy = ?, usage = ?, finished = ? WHERE id = ?"""


class TurnRecord(msgspec.Struct, frozen=True):
    """One turn as stored; `finished` None while it runs."""

    id: TurnId
    conversation: ConversationId
    session: SessionId
    state: TurnState
    request: TurnRequest
    started: int
    finished: int | None
    attempts: int
    text: str
    error: str
    remedy: str
    usage: dict[str, int]


class Turns:
    """All turns of this store."""

    def __init__(self, database: Database, clock: Clock, node: NodeId) -> None:
        self._database = database
        self._clock = clock
        self._node = node

    async def begin(
        self,
        request: TurnRequest,
        messages: Sequence[Message],
        *,
        new: NewConversation | None = None,
    ) -> tuple[TurnRecord, bool]:
        """Make a turn durable with its first messages, in one transaction.

        Returns the record and whether it is fresh: a turn id that is there already changes
        nothing. `new`: the conversation to make with it; the session that the messages name
        is opened then too. The request's `api_key` is never stored. Raises
        ConversationUnknown.
        """
        now = self._clock.now_ms()
        first = messages[0]
        kept = msgspec.structs.replace(request, api_key="")
        values = (
            request.turn_id, first.conversation, first.session, msgspec.json.encode(kept), now
        )  # fmt: skip
        statements = [Statement(_INSERT, values, expect=1)]
        if new is not None:
            statements.append(creating(new, self._node, now))
            statements += opening(first.session, new.id, self._node, now)
        statements += appending(messages)[1]
        try:
            await self._database.write(*statements)
        except Unmet as error:
            if (known := await self.get(request.turn_id)) is None:
                raise unknown(first.conversation) from error
            return known, False
        return _begun(kept, first, now), True

    async def get(self, turn: TurnId) -> TurnRecord | None:
        """One turn, or None."""
        rows = await self._select("WHERE id = ?", (turn,))
        return rows[0] if rows else None

    async def typed(self, turns: Iterable[TurnId]) -> dict[TurnId, int]:
        """Of which turns not all words were typed by a person, and how many characters were."""
        rows = await self._database.read(_TYPED, (msgspec.json.encode(list(turns)).decode(),))
        return dict(rows)

    async def finish(  # noqa: PLR0913 - an ending is made of these
        self,
        turn: TurnId,
        state: TurnState,
        *,
        text: str = "",
        error: str = "",
        remedy: str = "",
        usage: Mapping[str, int] | None = None,
        messages: Sequence[Message] = (),
    ) -> None:
        """End a turn, together with its last messages; raises StoreError when it is unknown."""
        spent = msgspec.json.encode(dict(usage or {})).decode()
        values = (state, text, error, remedy, spent, self._clock.now_ms(), turn)
        statements = [Statement(_FINISH, values, expect=1)]
        if messages:
            statements += appending(messages)[1]
        await self._database.write(*statements)

    async def attempt(self, turn: TurnId) -> int:
        """Count another start of a turn; returns how many there were."""
        sql = "UPDATE turns SET attempts = attempts + 1, state = 'running' WHERE id = ?"
        await self._database.write(Statement(sql, (turn,), expect=1))
        return (await self._one(turn)).attempts

    async def unfinished(self) -> tuple[TurnRecord, ...]:
        """Turns that were running when the store was last written, oldest first."""
        return await self._select("WHERE state = 'running' ORDER BY started, rowid")

    async def list(self, conversation: ConversationId) -> tuple[TurnRecord, ...]:
        """The turns of a conversation, oldest first."""
        return await self._select("WHERE conversation = ? ORDER BY started, rowid", (conversation,))

    async def _one(self, turn: TurnId) -> TurnRecord:
        record = await self.get(turn)
        if record is None:
            raise StoreError(f"no turn {turn}")
        return record

    async def _select(self, rest: str, parameters: tuple[str, ...] = ()) -> tuple[TurnRecord, ...]:
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM turns {rest}",  # noqa: S608 - constants
            parameters,
        )
        return tuple(map(_record, rows))


def _begun(request: TurnRequest, first: Message, at: int) -> TurnRecord:
    """The record of a turn that was just written: as the table's defaults make it."""
    return TurnRecord(
        id=request.turn_id,
        conversation=first.conversation,
        session=first.session,
        state="running",
        request=request,
        started=at,
        finished=None,
        attempts=1,
        text="",
        error="",
        remedy="",
        usage={},
    )


def _record(row: Row) -> TurnRecord:
    names = TurnRecord.__struct_fields__
    fields = dict(zip(names, row, strict=True))
    fields["request"] = msgspec.json.decode(fields["request"], type=TurnRequest)
    fields["usage"] = msgspec.json.decode(fields["usage"], type=dict[str, int])
    return TurnRecord(**fields)
