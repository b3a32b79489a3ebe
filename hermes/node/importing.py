"""Bringing an exported conversation into a store, message by message, every name checked.

What is imported was written by somebody else: its digests are derived again, and a message
whose name does not match is refused with everything else of the file.
"""

from collections.abc import Sequence

import msgspec

from hermes.core.clock import from_rfc3339
from hermes.core.event import Json
from hermes.core.ids import Cid, ConversationId, NodeId, SessionId, TurnId, is_uuid
from hermes.core.message import Message, Part, Role, block_of
from hermes.errors import ConversationUnknown, Usage
from hermes.store.store import Store


class _Exported(msgspec.Struct, frozen=True):
    """A message as `conversations export` writes it."""

    cid: Cid
    turn: TurnId
    session: SessionId
    role: Role
    at: str
    node: NodeId
    parents: tuple[Cid, ...]
    parts: tuple[Part, ...]
    salt: str
    raw: str = ""


class _Export(msgspec.Struct, frozen=True):
    """A conversation as `conversations export` writes it."""

    id: ConversationId
    root: str
    messages: tuple[_Exported, ...]
    title: str = ""
    private: bool = False


async def import_conversation(store: Store, data: Json) -> ConversationId:
    """Store an export under its own id; raises Usage, with nothing stored.

    Args:
        store: where to.
        data: what `hermes conversations export --json` printed.
    """
    try:
        export = msgspec.convert(data, _Export)
        messages = _messages(export)
    except (msgspec.ValidationError, ValueError) as error:
        raise Usage(f"this is no exported conversation: {error}", "nothing was imported") from error
    try:
        await store.conversations.get(export.id)
    except ConversationUnknown:
        pass
    else:
        raise Usage(f"conversation {export.id} is here already", "nothing was imported")
    await store.conversations.create(
        conversation=export.id, title=export.title, root=export.root, private=export.private
    )
    if messages:
        await store.conversations.append(*messages)
    return export.id


def _messages(export: _Export) -> Sequence[Message]:
    if not is_uuid(export.id):
        raise ValueError("its id is no UUID")
    known: set[Cid] = set()
    messages = []
    for exported in export.messages:
        fields = {name: getattr(exported, name) for name in _SAME}
        message = Message(conversation=export.id, at=from_rfc3339(exported.at), **fields)
        if block_of(message).cid != exported.cid:
            raise ValueError(f"message {exported.cid} does not match its name")
        if not known.issuperset(message.parents):
            raise ValueError(f"message {exported.cid} stands before its parents")
        known.add(exported.cid)
        messages.append(message)
    return messages


_SAME = ("turn", "session", "role", "node", "parents", "parts", "salt", "raw")
