"""What a front end needs of the owner: the door that `gateway.client` opens."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from hermes.core.event import Answer, Event, Json
from hermes.core.ids import CallId, ConversationId
from hermes.core.request import TurnRequest

_ANY = ConversationId("")


class Hello(Protocol):
    """How the owner introduced itself."""

    @property
    def pid(self) -> int:
        """Its process."""
        ...

    @property
    def version(self) -> str:
        """Its version of Hermes."""
        ...

    @property
    def owner_is_us(self) -> bool:
        """Whether this process is the owner."""
        ...

    @property
    def store(self) -> str:
        """Path of the database."""
        ...

    @property
    def model(self) -> str:
        """Its default model."""
        ...


class Door(Protocol):
    """One front end's connection to the owner."""

    @property
    def hello(self) -> Hello:
        """How the owner introduced itself."""
        ...

    def turn(self, request: TurnRequest, /) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """Ask for a turn; the events end with turn_finished or turn_failed."""
        ...

    def watch(
        self, conversation: ConversationId, /, *, interactive: bool = False
    ) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """All events of a conversation, whoever asked."""
        ...

    async def approve(self, call_id: CallId, answer: Answer, reason: str = "", /) -> bool:
        """Answer an approval; False: somebody answered before."""
        ...

    async def stop(self, conversation: ConversationId, /) -> bool:
        """Stop the running turn; False: none ran."""
        ...

    async def status(self, conversation: ConversationId = _ANY, /) -> dict[str, Json]:
        """What runs: model, engine, context, running turns."""
        ...

    async def query(self, name: str, /, **arguments: Json) -> Json:
        """Ask the owner for data, or to change some."""
        ...
