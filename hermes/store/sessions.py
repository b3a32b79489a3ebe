"""Sessions: one stretch of a conversation on one node, from open to close."""

from hermes.core.ids import Cid, ConversationId, NodeId, SessionId
from hermes.store.blocks import record
from hermes.store.statement import Statement

SESSION_KIND = "hermes/session/1"
SESSION_END_KIND = "hermes/session-end/1"

LATEST = "SELECT cid FROM sessions WHERE conversation = ? ORDER BY opened DESC LIMIT 1"
ONE = "SELECT cid, conversation, closed FROM sessions WHERE id = ?"
_OPEN = "INSERT INTO sessions (id, conversation, node, opened, cid) VALUES (?, ?, ?, ?, ?)"
_CLOSE = "UPDATE sessions SET closed = ?, closing_cid = ? WHERE id = ? AND closed IS NULL"


def opening(
    session: SessionId,
    conversation: ConversationId,
    node: NodeId,
    at: int,
    previous: Cid | None = None,
) -> list[Statement]:
    """The statements that open a session; `previous` is the block of the one before it."""
    cid, block = record(
        SESSION_KIND,
        (previous,) if previous else (),
        {"session": session, "conversation": conversation, "node": node, "at": at},
    )
    row = Statement(_OPEN, (session, conversation, node, at, cid))
    return [block, row]


def closing(session: SessionId, opened: Cid, node: NodeId, at: int) -> list[Statement]:
    """The statements that close a session; closing it twice is Unmet."""
    cid, block = record(SESSION_END_KIND, (opened,), {"session": session, "node": node, "at": at})
    return [block, Statement(_CLOSE, (at, cid, session), expect=1)]
