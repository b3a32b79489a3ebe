"""What the owner does for its front ends (`gateway.server.Desk`)."""

import inspect
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

import msgspec

import hermes
from hermes.conversation.kit import Kit
from hermes.core.event import Answer, Event, Json
from hermes.core.ids import CallId, ConversationId
from hermes.core.request import TurnRequest
from hermes.errors import Usage
from hermes.node.intake import Intake

Query = Callable[..., Awaitable[Json]]
"""Answers by name; its signature says which arguments it takes."""

_COUNT = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""Limits, offsets and row numbers: anything else breaks deep in the database."""


class Desk:
    """The owner's counter."""

    def __init__(
        self,
        kit: Kit,
        intake: Intake,
        queries: Mapping[str, Query],
        facts: Callable[[ConversationId], dict[str, Json]],
        store: str,
        model: str,
    ) -> None:
        self.bus = kit.bus
        self._kit = kit
        self.intake = intake
        self._queries = dict(queries)
        self._facts = facts
        self._store = store
        self._model = model

    def hello(self) -> dict[str, Json]:
        """Who the owner is."""
        return {
            "version": hermes.__version__,
            "pid": os.getpid(),
            "node": self._kit.store.node,
            "store": self._store,
            "model": self._model,
        }

    async def address(self, request: TurnRequest) -> TurnRequest:
        """Give a turn its conversation."""
        return await self.intake.address(request)

    async def turn(self, request: TurnRequest, catch_up: Callable[[Event], None]) -> None:
        """Take a turn."""
        await self.intake.turn(request, catch_up)

    async def approve(self, call_id: CallId, answer: Answer, *, by: str, reason: str) -> bool:
        """Answer an approval."""
        return await self.intake.approve(call_id, answer, by=by, reason=reason)

    async def stop(self, conversation: ConversationId) -> bool:
        """Stop a conversation's running turn."""
        return await self.intake.stop(conversation)

    async def status(self, conversation: ConversationId) -> dict[str, Json]:
        """What runs, and on what."""
        return self._facts(conversation)

    async def query(self, name: str, arguments: dict[str, Json]) -> Json:
        """Look something up or change it, by name; raises Usage for an unknown name."""
        query = self._queries.get(name)
        if query is None:
            raise Usage(f"no query is called {name!r}")
        try:
            given = msgspec.convert(arguments, _arguments_of(name, query), strict=False)
        except msgspec.ValidationError as error:
            raise Usage(f"{name}: {error}") from error
        return await query(**msgspec.structs.asdict(given))

    def offer(self, queries: Mapping[str, Query]) -> None:
        """Answer these too: what only some owners run brings its own."""
        self._queries |= queries

    def so_far(self, conversation: ConversationId) -> tuple[Event, ...]:
        """What was told of the turn that runs."""
        return self._kit.bus.so_far(conversation)

    def waiting(self, conversation: ConversationId) -> tuple[Event, ...]:
        """Approvals of a conversation that wait for an answer."""
        asked = self.intake.waiting()
        return tuple(event for event in asked if event.conversation_id == conversation)

    def report(self, where: str, error: BaseException) -> None:
        """Write a bug down."""
        self._kit.report(where, error)


def _arguments_of(name: str, query: Query) -> type[msgspec.Struct]:
    """A query's parameters as a Struct, so that what comes through the door is validated."""
    fields: list[tuple[str, Any, Any]] = []
    open_ended = False
    for given in inspect.signature(query).parameters.values():
        if given.kind is given.VAR_KEYWORD:
            open_ended = True
            continue
        default = msgspec.NODEFAULT if given.default is given.empty else given.default
        kind = _COUNT if given.annotation is int else given.annotation
        fields.append((given.name, kind, default))
    return msgspec.defstruct(
        name, fields, forbid_unknown_fields=not open_ended, kw_only=True, frozen=True
    )
