"""Records of turns that are over, as they go from node to node: without words that messages have.

A record's empty text stands for the words of its messages, here and there the same.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from hermes.core.ids import Cid, ConversationId, TurnId
from hermes.core.message import Message
from hermes.core.request import TurnRequest
from hermes.store.replica_values import Ended
from hermes.store.statement import Row, Statement

_ENDED = """SELECT id, session, state, request, started, coalesce(finished, started), attempts,
        text, error, remedy, usage, conversation FROM turns
    WHERE state <> 'running' AND id IN (SELECT value FROM json_each(?))"""
_SAID = """SELECT turn, text FROM messages WHERE role = 'assistant'
    AND cid IN (SELECT value FROM json_each(?))"""
_ASKED = """SELECT turn, text FROM messages WHERE role = 'user'
    AND conversation = ?1 AND turn IN (SELECT value FROM json_each(?2))"""
_TURN = """INSERT INTO turns (id, conversation, session, state, request, started, finished,
        attempts, text, error, remedy, usage)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"""


def records(
    database: sqlite3.Connection, turns: Collection[str], cids: Sequence[Cid]
) -> tuple[Ended, ...]:
    """The records of those of some turns that are over; `cids`: the messages beside them."""
    rows = database.execute(_ENDED, (_array(turns),)).fetchall()
    said = {(turn, text) for turn, text in database.execute(_SAID, (_array(cids),)) if rows}
    asked: set[tuple[str, str]] = set()
    for place in {row[11] for row in rows}:
        asked |= set(database.execute(_ASKED, (place, _array(turns))).fetchall())
    return tuple(_ended(row, asked, said) for row in rows)


def recording(
    database: sqlite3.Connection,
    ended: Collection[Ended],
    conversation: ConversationId,
    messages: Iterable[Message],
) -> Iterator[Statement]:
    """The statements that keep records; a turn that has one keeps it."""
    asked: dict[TurnId, str] = {}
    if any(not one.request.text for one in ended):
        rows = database.execute(_ASKED, (conversation, _array([one.id for one in ended])))
        asked |= dict(rows.fetchall())
    said: dict[TurnId, str] = {}
    for message in messages:
        if message.role == "user":
            asked[message.turn] = message.text
        elif message.role == "assistant":
            said[message.turn] = message.text
    for one in ended:
        text = one.text or (said.get(one.id, "") if one.state == "finished" else "")
        request = msgspec.structs.replace(
            one.request,
            text=one.request.text or asked.get(one.id, ""),
            api_key="",
            conversation_id=conversation,
        )
        values = (
            one.id, conversation, one.session, one.state, msgspec.json.encode(request),
            one.started, one.finished, one.attempts, text, one.error, one.remedy,
            msgspec.json.encode(one.usage).decode(),
        )  # fmt: skip
        yield Statement(_TURN, values)


def lost(message: Message) -> Ended:
    """The record of a turn that nobody has one of: nobody vouches for its words."""
    m = message
    request = TurnRequest(turn_id=m.turn, text=m.text, cwd="", root="")
    return Ended(m.turn, m.session, "interrupted", request, m.at, m.at, 1, "", "", "", {})


def _ended(row: Row, asked: set[tuple[str, str]], said: set[tuple[str, str]]) -> Ended:
    request = msgspec.json.decode(row[3], type=TurnRequest)
    if (row[0], request.text) in asked:
        request = msgspec.structs.replace(request, text="")
    return Ended(
        id=row[0],
        session=row[1],
        state=row[2],
        request=request,
        started=row[4],
        finished=row[5],
        attempts=row[6],
        text="" if (row[0], row[7]) in said else row[7],
        error=row[8],
        remedy=row[9],
        usage=msgspec.json.decode(row[10], type=dict[str, int]),
    )


def _array(values: Collection[str]) -> str:
    return msgspec.json.encode(list(values)).decode()
