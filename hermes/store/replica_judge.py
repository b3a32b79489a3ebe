"""The blocks of a parcel from another node, judged one by one: which are let in, and why not.

A block has to be a message in canonical form, of this conversation or of what it was forked
from, and its parents have to be here or to stand before it. Nothing that comes so counts as
typed here: sessions stay their node's own, and who claims one of ours is not believed.
"""

import sqlite3
from collections.abc import Collection, Iterable
from typing import NamedTuple

import msgspec

from hermes.core.canonical import Block, decode, encode
from hermes.core.ids import Cid, TurnId, is_uuid
from hermes.core.message import Message, message_of
from hermes.store.links import links_of
from hermes.store.messages import keeping
from hermes.store.replica_records import lost, recording
from hermes.store.replica_values import LATEST, Parcel
from hermes.store.statement import Statement

_PARENTS_MOST = 1_024
_HERE = "SELECT cid, conversation FROM messages WHERE cid IN (SELECT value FROM json_each(?))"
_SESSIONS = "SELECT id FROM sessions WHERE id IN (SELECT value FROM json_each(?))"
_ASKED = """SELECT id, json_extract(CAST(request AS TEXT), '$.text') FROM turns
    WHERE id IN (SELECT value FROM json_each(?))"""


class Fresh(NamedTuple):
    """A message that is new here."""

    block: Block
    message: Message


class Judged:
    """The blocks of a parcel: those that are new here and hold, and why others do not."""

    def __init__(self, database: sqlite3.Connection, parcel: Parcel, node: str) -> None:
        self._parcel = parcel
        self._node = node
        self.fresh: dict[Cid, Fresh] = {}
        self.refused: list[str] = []
        self.orphans = 0
        read = [one for data in parcel.blocks if (one := self._read(data)) is not None]
        named = {one.block.cid for one in read}
        wanted = {*parcel.heads, *named, *(p for one in read for p in one.message.parents)}
        self.known: dict[Cid, str] = dict(database.execute(_HERE, (array(wanted),)).fetchall())
        asked = {one.message.turn for one in read if one.message.role == "user"}
        self._asked: dict[str, str] = dict(database.execute(_ASKED, (array(asked),)).fetchall())
        told = {one.message.session for one in read}
        self._own = {row[0] for row in database.execute(_SESSIONS, (array(told),))}
        for one in read:
            self._judge(one)

    def _read(self, data: bytes) -> Fresh | None:
        try:
            value = decode(data)
            links_of(value)  # bounds the depth before anything recursive sees it
            block = encode(value)
            message = message_of(data)
        except (ValueError, TypeError, RecursionError):
            self.refused.append("no message")
            return None
        m = message
        if block.data != data or not (len(m.parents) <= _PARENTS_MOST and 0 <= m.at <= LATEST):
            self.refused.append("no message")
            return None
        if not is_uuid(m.conversation):
            self.refused.append("no message")
            return None
        return Fresh(block, message)

    def _judge(self, one: Fresh) -> None:
        place, parents = one.message.conversation, one.message.parents
        turn, text = one.message.turn, one.message.text
        if one.block.cid in self.known:
            return
        origins = [self._origin(parent) for parent in parents]
        if None in origins:
            self.orphans += 1
            self.refused.append("orphan")
        elif place != self._parcel.id and self._parcel.id in origins:
            # Only what a fork begins with may be another conversation's.
            self.refused.append("elsewhere")
        elif self._claims(one.message) and self._asked.get(turn, text) != text:
            self.refused.append("not asked")
        else:
            self.fresh[one.block.cid] = one

    def _origin(self, cid: Cid) -> str | None:
        if (one := self.fresh.get(cid)) is not None:
            return one.message.conversation
        return self.known.get(cid)

    def origins(self) -> set[str]:
        """The conversations that are named."""
        named = {one.message.conversation for one in self.fresh.values()}
        return named | set(self.known.values())

    def statements(self, database: sqlite3.Connection) -> Iterable[Statement]:
        """What keeps the blocks, and the records that came with them."""
        turns: set[str] = set()
        claimed: dict[TurnId, Message] = {}
        for one in self.fresh.values():
            yield from keeping(one.message, one.block)
            turns.add(one.message.turn)
            if self._claims(one.message):
                claimed[one.message.turn] = one.message
        came = {ended.id: ended for ended in self._parcel.turns if ended.id in turns}
        for message in claimed.values():
            ended = came.get(message.turn) or lost(message)
            request = msgspec.structs.replace(ended.request, typed=0)
            came[message.turn] = msgspec.structs.replace(ended, request=request)
        yield from recording(database, came.values(), self._parcel.id, self._messages())

    def _messages(self) -> list[Message]:
        return [one.message for one in self.fresh.values()]

    def _claims(self, message: Message) -> bool:
        """Whether it says that it was typed here: then only a record of that turn vouches."""
        here = message.node == self._node or message.session in self._own
        return message.role == "user" and here


def array(values: Collection[str]) -> str:
    """Names as a query takes them."""
    return msgspec.json.encode(list(values)).decode()
