"""Queries about conversations: list, show, search, export, import, fork, undo, private."""

from collections.abc import Mapping
from contextlib import nullcontext

import msgspec

from hermes.conversation.shards import Shards
from hermes.core.clock import rfc3339
from hermes.core.event import Json
from hermes.core.ids import ConversationId, uuid7
from hermes.errors import Usage
from hermes.node.desk import Query
from hermes.node.importing import import_conversation
from hermes.node.undo import undo
from hermes.store.conversations import ConversationInfo
from hermes.store.messages import StoredMessage
from hermes.store.store import Store

_LIST_MOST = 1_000


class Archive:
    """The owner's conversations, as JSON."""

    def __init__(self, store: Store, shards: Shards) -> None:
        self._store = store
        self._shards = shards

    def queries(self) -> Mapping[str, Query]:
        """The table of query names."""
        return {
            "conversations.list": self.list,
            "conversations.show": self.show,
            "conversations.search": self.search,
            "conversations.export": self.export,
            "conversations.import": self.bring,
            "conversations.fork": self.fork,
            "conversations.undo": self.undo,
            "conversations.private": self.private,
        }

    async def list(self, limit: int = 50, offset: int = 0, root: str | None = None) -> Json:
        """Newest first."""
        found = await self._store.conversations.list(min(limit, _LIST_MOST), offset, root)
        return [_info(info) for info in found]

    async def show(self, id: str) -> Json:  # noqa: A002 - the public query's word
        """One conversation with its messages."""
        conversation = await self._store.conversations.resolve(id)
        info = await self._store.conversations.get(conversation)
        history = await self._store.conversations.history(conversation)
        return _info(info) | {"messages": [_message(stored) for stored in history]}

    async def search(self, query: str, conversation: str | None = None, limit: int = 20) -> Json:
        """Messages that contain the words, newest first."""
        where = await self._store.conversations.resolve(conversation) if conversation else None
        hits = await self._store.search.messages(
            query, conversation=where, limit=min(limit, _LIST_MOST)
        )
        return [msgspec.to_builtins(hit) | {"at": rfc3339(hit.at)} for hit in hits]

    async def export(self, id: str) -> Json:  # noqa: A002
        """One conversation with messages and turns, for `conversations import`."""
        shown = await self.show(id)
        turns = await self._store.turns.list(ConversationId(shown["id"]))
        return shown | {
            "turns": [
                {
                    "id": turn.id,
                    "state": turn.state,
                    "model": turn.request.model,
                    "started": rfc3339(turn.started),
                    "error": turn.error,
                }
                for turn in turns
            ]
        }

    async def bring(self, data: Json) -> Json:
        """Store an exported conversation."""
        conversation = await import_conversation(self._store, data)
        return _info(await self._store.conversations.get(conversation))

    async def fork(self, id: str) -> Json:  # noqa: A002
        """A new conversation on the same head."""
        conversation = await self._store.conversations.resolve(id)
        return _info(await self._store.conversations.fork(conversation, ConversationId(uuid7())))

    async def undo(self, id: str, *, apply: bool = False, **_place: str) -> Json:  # noqa: A002
        """Show, or carry out, the way back over the last turn."""
        conversation = await self._store.conversations.resolve(id)
        async with self._shards.away(conversation) if apply else nullcontext():
            return await undo(self._store, conversation, carry_out=apply)

    async def private(self, id: str, *, on: bool = True) -> Json:  # noqa: A002
        """Mark as never used for training and never replicated."""
        conversation = await self._store.conversations.resolve(id)
        if not isinstance(on, bool):
            raise Usage("private is true or false")
        await self._store.conversations.set_private(conversation, on)
        if loop := self._shards.find(conversation):
            loop.session.private = on
        return _info(await self._store.conversations.get(conversation))


def _info(info: ConversationInfo) -> dict[str, Json]:
    plain: dict[str, Json] = msgspec.to_builtins(info)
    return plain | {
        "heads": list(info.heads),
        "created": rfc3339(info.created),
        "updated": rfc3339(info.updated),
    }


def _message(stored: StoredMessage) -> dict[str, Json]:
    message = stored.message
    return {
        "cid": stored.cid,
        "turn": message.turn,
        "session": message.session,
        "role": message.role,
        "at": rfc3339(message.at),
        "node": message.node,
        "parents": list(message.parents),
        "parts": msgspec.to_builtins(list(message.parts)),
        "raw": message.raw,
        "salt": message.salt,
    }
