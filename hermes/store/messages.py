"""Messages as rows, and the history that their parents spell."""

from collections.abc import Sequence

import msgspec

from hermes.core.canonical import Block
from hermes.core.ids import Cid
from hermes.core.message import MESSAGE_KIND, Message, block_of, message_of
from hermes.store.blocks import block_statement, unwritable
from hermes.store.statement import Row, Statement

_INSERT = (
    "INSERT INTO messages (cid, conversation, session, turn, role, at, text)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (cid) DO NOTHING"
)
_PARENT = (
    "INSERT INTO message_parents (child, parent) VALUES (?, ?)"
    " ON CONFLICT (child, parent) DO NOTHING"
)
_APPENDED = """UPDATE conversations SET
    messages = messages + CASE WHEN heads = ?1 THEN 0 ELSE ?2 END,
    heads = ?1, updated = max(updated, ?3),
    title = CASE WHEN title = '' THEN ?4 ELSE title END
    WHERE id = ?5"""
HISTORY = """WITH RECURSIVE reached (cid) AS (
        SELECT value FROM json_each(?)
        UNION SELECT parent FROM message_parents JOIN reached ON child = cid)
    SELECT cid, data FROM reached JOIN blocks USING (cid) WHERE data IS NOT NULL"""
TITLE_LENGTH = 80


class StoredMessage(msgspec.Struct, frozen=True):
    """A message and its name."""

    cid: Cid
    message: Message


def heads_json(heads: Sequence[Cid]) -> str:
    """Heads as the column holds them."""
    return msgspec.json.encode(list(heads)).decode()


def appending(messages: Sequence[Message]) -> tuple[tuple[Cid, ...], list[Statement]]:
    """The statements that put messages of one conversation behind its heads.

    Raises ValueError on none or on several conversations, StoreError on text that is no
    Unicode.
    """
    if len({message.conversation for message in messages}) != 1:
        raise ValueError("an append is of one or more messages of one conversation")
    cids: list[Cid] = []
    statements: list[Statement] = []
    for message in messages:
        try:
            block = block_of(message)
        except ValueError as error:
            raise unwritable(error) from error
        cids.append(block.cid)
        statements += keeping(message, block)
    last = messages[-1]
    parameters = (
        heads_json(cids[-1:]), len(messages), last.at, _title(messages), last.conversation
    )  # fmt: skip
    statements.append(Statement(_APPENDED, parameters, expect=1))
    return tuple(cids), statements


def keeping(message: Message, block: Block) -> list[Statement]:
    """The statements that keep one message, outside any conversation's heads."""
    m = message
    row = (block.cid, m.conversation, m.session, m.turn, m.role, m.at, m.text)
    parents = [Statement(_PARENT, (block.cid, parent), append=True) for parent in m.parents]
    return [block_statement(MESSAGE_KIND, block), Statement(_INSERT, row, append=True), *parents]


def _title(messages: Sequence[Message]) -> str:
    for message in messages:
        if message.role == "user":
            return " ".join(message.text[: 4 * TITLE_LENGTH].split())[:TITLE_LENGTH]
    return ""


def in_order(rows: Sequence[Row], heads: Sequence[Cid]) -> tuple[StoredMessage, ...]:
    """Decode a history and put it oldest first.

    Parents come before their children, one branch after the other, so that a call and its
    result are not torn apart where two nodes wrote at the same time.
    """
    found = {cid: StoredMessage(cid, message_of(data)) for cid, data in rows}
    ordered: dict[Cid, StoredMessage] = {}
    stack = [(head, False) for head in reversed(heads)]
    while stack:
        cid, parents_done = stack.pop()
        if cid in ordered or cid not in found:
            continue
        if parents_done:
            ordered[cid] = found[cid]
            continue
        stack.append((cid, True))
        stack += [(parent, False) for parent in reversed(found[cid].message.parents)]
    return tuple(ordered.values())
