"""What turns did: the writes of finished turns that succeeded, for whoever looks for habits.

Only turns that this store ran for a person: imported ones are not in its table of turns, and
the words of a scheduled task, and what a pipe brought, are left out.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import anyio.to_thread
import msgspec

from hermes.core.ids import CallId, ConversationId, SessionId, TurnId
from hermes.core.message import ToolCall, message_of
from hermes.store.database import Database
from hermes.store.failures import corrupt
from hermes.store.statement import Row

_LARGEST = 64 * 1024  # bytes of a request: more is a pasted file, not an order
_LARGEST_MESSAGE = 1_000_000
_NEXT = """SELECT t.rowid, t.id, t.conversation, t.session, t.state,
        coalesce(t.finished, t.started),
        CASE WHEN length(t.request) <= ?3 THEN t.request END
    FROM turns AS t JOIN conversations AS c ON c.id = t.conversation
    WHERE t.rowid > ?1 AND t.state <> 'running' AND c.private = 0
        AND NOT EXISTS (SELECT 1 FROM work WHERE turn = t.id)
    ORDER BY t.rowid LIMIT ?2"""
_MESSAGES = """SELECT b.data FROM messages AS m JOIN blocks AS b USING (cid)
    WHERE m.conversation IN (SELECT value FROM json_each(?1))
        AND m.turn IN (SELECT value FROM json_each(?2))
        AND m.role IN ('assistant', 'tool') AND length(b.data) <= ?3 ORDER BY m.seq"""
_WRITES = """SELECT turn, call FROM journal WHERE turn IN (SELECT value FROM json_each(?))
    AND outcome = 'ok' AND undone IS NULL"""
_ANSWERS = """SELECT conversation, call, answer, rule, asked FROM approvals
    WHERE conversation IN (SELECT value FROM json_each(?)) AND answer IN ('yes', 'always')"""
_TASKS = "SELECT DISTINCT task FROM jobs"
_SHELLS = frozenset({"Bash", "Git"})
_DONE = "exit code 0"


class Deed(msgspec.Struct, frozen=True):
    """One write that succeeded; `arguments` as the model generated them."""

    tool: str
    arguments: str
    approved: bool


class Doing(msgspec.Struct, frozen=True):
    """One turn: the person's words and what was done; `at` the ms of its end.

    `rules`: what was answered "always" in its conversation until then.
    """

    row: int
    turn: TurnId
    conversation: ConversationId
    session: SessionId
    at: int
    text: str
    root: str
    rules: tuple[str, ...]
    deeds: tuple[Deed, ...]


class _Request(msgspec.Struct, frozen=True):
    """What is of use of a turn's request; `typed`: how much of the text no pipe brought."""

    text: str
    root: str
    typed: int = -1


class _Answers(NamedTuple):
    yes: set[tuple[ConversationId, CallId]]
    always: list[tuple[ConversationId, str, int]]


class Deeds:
    """Turns that nobody has looked at."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def unread(self, after: int, limit: int) -> tuple[Doing, ...]:
        """The next turns that are over and have no row in `work`, by their row in the table.

        A turn with nothing to learn from comes without deeds, so that it can be ticked off.
        """
        rows = await self._database.read(_NEXT, (after, limit, _LARGEST))
        if not rows:
            return ()
        turns, places = _json({row[1] for row in rows}), _json({row[2] for row in rows})
        data = await self._database.read(_MESSAGES, (places, turns, _LARGEST_MESSAGE))
        written = {(turn, call) for turn, call in await self._database.read(_WRITES, (turns,))}
        answers = _answers(await self._database.read(_ANSWERS, (places,)))
        tasks = {row[0] for row in await self._database.read(_TASKS)}
        done = await anyio.to_thread.run_sync(partial(_done, data, written, self._database.path))
        return tuple(_doing(row, done, answers, tasks) for row in rows)


def _answers(rows: Sequence[Row]) -> _Answers:
    return _Answers(
        {(row[0], row[1]) for row in rows},
        [(place, rule, asked) for place, _, said, rule, asked in rows if said == "always" and rule],
    )


def _done(
    data: Sequence[Row], written: set[tuple[TurnId, CallId]], path: Path
) -> dict[TurnId, list[ToolCall]]:
    """The calls of each turn that wrote and succeeded, in their order."""
    asked: dict[TurnId, list[ToolCall]] = {}
    good: set[CallId] = set()
    for (block,) in data:
        try:
            message = message_of(block)
        except ValueError as error:
            raise corrupt(path, str(error)) from error
        wrote = [call for call in message.calls if (message.turn, call.id) in written]
        asked.setdefault(message.turn, []).extend(wrote)
        for result in message.results:
            ended = result.text.rpartition("\n")[2] == _DONE or result.name not in _SHELLS
            if result.ok and not result.denied and ended:
                good.add(result.call_id)
    return {turn: [call for call in calls if call.id in good] for turn, calls in asked.items()}


def _doing(
    row: Row, done: dict[TurnId, list[ToolCall]], answers: _Answers, tasks: set[str]
) -> Doing:
    number, turn, conversation, session, state, at, request = row
    asked = _request(request)
    if asked is None or state != "finished" or asked.text in tasks:
        return Doing(number, turn, conversation, session, at, "", "", (), ())
    deeds = tuple(
        Deed(call.name, call.arguments, (conversation, call.id) in answers.yes)
        for call in done.get(turn, ())
    )
    return Doing(
        row=number,
        turn=turn,
        conversation=conversation,
        session=session,
        at=at,
        text=asked.text if asked.typed < 0 else asked.text[: asked.typed],
        root=asked.root,
        rules=tuple(
            rule for place, rule, since in answers.always if place == conversation and since <= at
        ),
        deeds=deeds,
    )


def _request(data: bytes | None) -> _Request | None:
    if data is None:
        return None
    try:
        return msgspec.json.decode(data, type=_Request)
    except msgspec.DecodeError:
        return None


def _json(values: set[str]) -> str:
    return msgspec.json.encode(sorted(values)).decode()
