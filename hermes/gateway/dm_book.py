"""The owner's books of direct messages, asked for through the door: the gateway keeps nothing."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from hermes.core.event import Json
from hermes.core.ids import ConversationId
from hermes.gateway.dm_code import code_digest
from hermes.gateway.terminal_door import Door
from hermes.store.dms import Post, Received
from hermes.store.pairings import Pairing

T = TypeVar("T")


class Look(msgspec.Struct, frozen=True):
    """Wraps that were looked into, id to `created_at` in seconds; `at`: when the last was, ms."""

    wraps: Mapping[str, int]
    at: int


class Book:
    """Queries `dm.*` of the owner (`hermes.node.pairing`)."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def person(self, key: str) -> Pairing | None:
        """A paired key's pairing; None: a stranger's."""
        found = await self._door.query("dm.person", key=key)
        return msgspec.convert(found, Pairing) if found else None

    async def look(self, key: str, message: str) -> tuple[bool, bool]:
        """Whether a key is paired, and whether a message came before."""
        return await self._ask("dm.look", tuple[bool, bool], sender=key, message=message)

    async def pair(self, code: str, key: str) -> bool:
        """Let a key in by a code; False: the code is not open."""
        return await self._ask("dm.pair", bool, digest=code_digest(code), key=key)

    async def place(self, key: str, conversation: ConversationId) -> None:
        """Remember the conversation that goes on with a key."""
        await self._door.query("dm.place", key=key, conversation=conversation)

    async def take(self, message: Received) -> bool:
        """Keep a message; False: it came before, or its sender is not paired."""
        return await self._ask("dm.take", bool, message=msgspec.to_builtins(message))

    async def answer(self, messages: Iterable[str], posts: Sequence[Post]) -> bool:
        """Finish messages and keep what is said to their sender; False: not paired any more."""
        plain = msgspec.to_builtins(posts)
        return await self._ask("dm.answer", bool, messages=list(messages), posts=plain)

    async def sent(self, rumours: Sequence[str]) -> None:
        """A relay took these."""
        await self._door.query("dm.sent", rumours=list(rumours))

    async def waiting(self) -> tuple[Post, ...]:
        """What no relay took yet."""
        return await self._ask("dm.waiting", tuple[Post, ...])

    async def last(self) -> Mapping[str, int]:
        """The newest `created_at` used for each recipient, seconds."""
        return await self._ask("dm.last", dict[str, int])

    async def unfinished(self) -> tuple[Received, ...]:
        """What was taken and has no answer."""
        return await self._ask("dm.unfinished", tuple[Received, ...])

    async def looked(self) -> Look:
        """The wraps that need not be looked into again."""
        return await self._ask("dm.looked", Look)

    async def note(self, wraps: Mapping[str, int], refused: Mapping[str, int]) -> None:
        """Wraps that were looked into, and how many of them were refused, by reason."""
        await self._door.query("dm.note", wraps=dict(wraps), refused=dict(refused))

    async def _ask(self, name: str, kind: type[T], **arguments: Json) -> T:
        return msgspec.convert(await self._door.query(name, **arguments), kind)
