"""Conversations: an id, a title, and the heads that their history hangs from."""

import contextlib
from collections.abc import Sequence
from functools import partial

import anyio
import msgspec

from hermes.core.clock import Clock
from hermes.core.ids import Cid, ConversationId, NodeId, SessionId, uuid7
from hermes.core.message import Message
from hermes.errors import ConversationUnknown, StoreError
from hermes.store import sessions
from hermes.store.database import Database
from hermes.store.messages import HISTORY, StoredMessage, appending, heads_json, in_order
from hermes.store.statement import Row, Statement, Unmet

_COLUMNS = "id, title, created, updated, private, heads, messages, root"
_INSERT = (
    "INSERT INTO conversations (id, title, root, node, private, created, updated)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_FORK = (
    "INSERT INTO conversations"
    " (id, title, root, node, private, created, updated, heads, messages)"
    " SELECT ?, title, root, ?, private, ?, ?, heads, messages FROM conversations WHERE id = ?"
)
_SET_HEADS = """UPDATE conversations SET heads = ?1, updated = max(updated, ?2), messages = (
        WITH RECURSIVE reached (cid) AS (
            SELECT value FROM json_each(?1)
            UNION SELECT parent FROM message_parents JOIN reached ON child = cid)
        SELECT count(*) FROM reached JOIN messages USING (cid))
    WHERE id = ?3"""
# What one node takes back must not come back from another (`hermes.store.replicas`).
_TAKE_BACK = """INSERT INTO taken_back (conversation, cid, times)
    WITH RECURSIVE before (cid) AS (
        SELECT value FROM conversations AS c, json_each(c.heads) WHERE c.id = ?2
        UNION SELECT parent FROM message_parents JOIN before ON child = cid),
    kept (cid) AS (
        SELECT value FROM json_each(?1)
        UNION SELECT parent FROM message_parents JOIN kept ON child = cid)
    SELECT ?2, cid, 1 FROM before WHERE cid NOT IN (SELECT cid FROM kept)
    ON CONFLICT (conversation, cid) DO UPDATE SET times = times + 1 WHERE times % 2 = 0"""
_BRING_BACK = """UPDATE taken_back SET times = times + 1
    WHERE conversation = ?2 AND times % 2 = 1 AND cid IN (
        WITH RECURSIVE kept (cid) AS (
            SELECT value FROM json_each(?1)
            UNION SELECT parent FROM message_parents JOIN kept ON child = cid)
        SELECT cid FROM kept)"""
_TITLED = """INSERT INTO shared (conversation, titled) VALUES (?1, ?2)
    ON CONFLICT (conversation) DO UPDATE SET titled = excluded.titled"""
_FORK_SHARED = """INSERT INTO shared (conversation, place, titled)
    SELECT ?1, place, titled FROM shared WHERE conversation = ?2"""
_SHORTEST_PREFIX = 6


class ConversationInfo(msgspec.Struct, frozen=True):
    """What a list of conversations shows; times in ms, `messages` counts the history."""

    id: ConversationId
    title: str
    created: int
    updated: int
    private: bool
    heads: tuple[Cid, ...]
    messages: int
    root: str


class NewConversation(msgspec.Struct, frozen=True):
    """A conversation to be made."""

    id: ConversationId
    root: str
    title: str = ""
    private: bool = False


def creating(new: NewConversation, node: NodeId, at: int) -> Statement:
    """The statement that makes a conversation."""
    values = (new.id, new.title, new.root, node, int(new.private), at, at)
    return Statement(_INSERT, values)


class Conversations:
    """All conversations of this store."""

    def __init__(self, database: Database, clock: Clock, node: NodeId) -> None:
        self._database = database
        self._clock = clock
        self._node = node

    async def create(
        self, *, conversation: ConversationId, title: str = "", root: str, private: bool = False
    ) -> ConversationInfo:
        """Make a conversation; raises StoreError when the id is taken."""
        new = NewConversation(conversation, root, title, private)
        await self._database.write(creating(new, self._node, self._clock.now_ms()))
        return await self.get(conversation)

    async def get(self, conversation: ConversationId) -> ConversationInfo:
        """One conversation; raises ConversationUnknown."""
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM conversations WHERE id = ?",  # noqa: S608 - a constant
            (conversation,),
        )
        if not rows:
            raise unknown(conversation)
        return _info(rows[0])

    async def resolve(self, prefix: str) -> ConversationId:
        """Complete an id from its first six or more characters; raises ConversationUnknown."""
        start = prefix.strip().lower()
        if len(start) < _SHORTEST_PREFIX:
            raise ConversationUnknown(
                f"{prefix!r} is too short for a conversation", "give at least six characters"
            )
        rows = await self._database.read(
            "SELECT id FROM conversations WHERE id >= ? AND id < ? LIMIT 3", (start, start + "~")
        )
        if len(rows) > 1:
            raise ConversationUnknown(
                f"{prefix!r} begins several conversations: " + ", ".join(row[0] for row in rows),
                "give more characters",
            )
        if not rows:
            raise unknown(prefix)
        return ConversationId(rows[0][0])

    async def list(
        self, limit: int = 50, offset: int = 0, root: str | None = None
    ) -> tuple[ConversationInfo, ...]:
        """Conversations, newest first, of one project root or of all."""
        where, given = ("", ()) if root is None else ("WHERE root = ?", (root,))
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM conversations {where}"  # noqa: S608 - constants
            " ORDER BY updated DESC, rowid DESC LIMIT ? OFFSET ?",
            (*given, limit, offset),
        )
        return tuple(_info(row) for row in rows)

    async def history(self, conversation: ConversationId) -> tuple[StoredMessage, ...]:
        """Every message that the heads reach, oldest first; raises ConversationUnknown."""
        info = await self.get(conversation)
        rows = await self._database.read(HISTORY, (heads_json(info.heads),))
        return await anyio.to_thread.run_sync(partial(in_order, rows, info.heads))

    async def append(self, *messages: Message) -> tuple[Cid, ...]:
        """Add messages of one conversation; the last becomes its only head.

        Appending the same messages again changes nothing. Raises ConversationUnknown.
        """
        cids, statements = appending(messages)
        try:
            await self._database.write(*statements)
        except Unmet as error:
            raise unknown(messages[0].conversation) from error
        return cids

    async def set_heads(self, conversation: ConversationId, heads: Sequence[Cid]) -> None:
        """Move the heads, as undo does; raises ConversationUnknown."""
        told = heads_json(heads)
        await self._change(
            Statement(_TAKE_BACK, (told, conversation)),
            Statement(_BRING_BACK, (told, conversation)),
            Statement(_SET_HEADS, (told, self._clock.now_ms(), conversation), expect=1),
        )

    async def set_private(self, conversation: ConversationId, private: bool) -> None:  # noqa: FBT001 - its name says it
        """Mark as never used for training and never replicated; raises ConversationUnknown."""
        sql = "UPDATE conversations SET private = ? WHERE id = ?"
        await self._change(Statement(sql, (int(private), conversation), expect=1))

    async def set_title(self, conversation: ConversationId, title: str) -> None:
        """Rename; raises ConversationUnknown."""
        await self._change(
            Statement(_TITLED, (conversation, self._clock.now_ms())),
            Statement(
                "UPDATE conversations SET title = ? WHERE id = ?", (title, conversation), expect=1
            ),
        )

    async def fork(self, conversation: ConversationId, new: ConversationId) -> ConversationInfo:
        """Make a conversation on the same heads; raises ConversationUnknown."""
        now = self._clock.now_ms()
        statement = Statement(_FORK, (new, self._node, now, now, conversation), expect=1)
        try:
            await self._database.write(statement, Statement(_FORK_SHARED, (new, conversation)))
        except Unmet as error:
            raise unknown(conversation) from error
        return await self.get(new)

    async def open_session(self, conversation: ConversationId, at: int) -> SessionId:
        """Begin a stretch of this conversation on this node."""
        rows = await self._database.read(sessions.LATEST, (conversation,))
        previous = Cid(rows[0][0]) if rows else None
        session = SessionId(uuid7())
        await self._database.write(
            *sessions.opening(session, conversation, self._node, at, previous)
        )
        return session

    async def close_session(self, session: SessionId, at: int) -> None:
        """End a session; harmless when it is closed already, StoreError when unknown."""
        rows = await self._database.read(sessions.ONE, (session,))
        if not rows:
            raise StoreError(f"no session {session}")
        with contextlib.suppress(Unmet):
            await self._database.write(*sessions.closing(session, Cid(rows[0][0]), self._node, at))

    async def _change(self, *statements: Statement) -> None:
        """Write; the last one's last value names the conversation, which has to be there."""
        try:
            await self._database.write(*statements)
        except Unmet as error:
            raise unknown(str(statements[-1].parameters[-1])) from error


def _info(row: Row) -> ConversationInfo:
    heads = msgspec.json.decode(row[5], type=tuple[Cid, ...])
    identity, title, created, updated, private, _, messages, root = row
    return ConversationInfo(identity, title, created, updated, bool(private), heads, messages, root)


def unknown(conversation: str) -> ConversationUnknown:
    """The error for an id that names no conversation."""
    return ConversationUnknown(f"no conversation {conversation}", "see `hermes conversations list`")
