"""Full-text search over every message."""

import msgspec

from hermes.core.ids import Cid, ConversationId, TurnId
from hermes.core.message import Role
from hermes.store.database import Database
from hermes.store.query import all_of

_SNIPPET_WORDS = 24
# CROSS JOIN keeps the index outside: it yields its rows in order and stops at the limit. The
# rank is not asked for where it does not order, since it makes FTS5 count every match first.
_SELECT = f"""SELECT m.conversation, m.turn, m.role, m.at,
        snippet(messages_fts, 0, '', '', '…', {_SNIPPET_WORDS}), m.cid
    FROM messages_fts AS f CROSS JOIN messages AS m ON m.seq = f.rowid
    WHERE messages_fts MATCH ? ORDER BY f.{{order}} LIMIT ?"""  # noqa: S608 - constants
_NEWEST = _SELECT.format(order="rowid DESC")
_BEST = _SELECT.format(order="rank")


class Hit(msgspec.Struct, frozen=True):
    """A message that was found, and the words around the match."""

    conversation: ConversationId
    turn: TurnId
    role: Role
    at: int
    snippet: str
    cid: Cid


class Search:
    """Search for words; every word has to be there, quotes keep a phrase together."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def messages(
        self,
        query: str,
        *,
        conversation: ConversationId | None = None,
        limit: int = 20,
        newest: bool = True,
    ) -> tuple[Hit, ...]:
        """Find messages, newest first or best first; any text is a valid query."""
        expression = all_of(query)
        if not expression:
            return ()
        match = f"text : ({expression})"
        if conversation is not None:
            key = "".join(filter(str.isalnum, conversation))
            match += f' AND conversation : "{key}"'
        rows = await self._database.read(_NEWEST if newest else _BEST, (match, limit))
        return tuple(Hit(*row) for row in rows)
