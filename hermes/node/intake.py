"""Where turns come in: at this owner's own conversations, or by the fleet's route to their home."""

import math
from collections.abc import Callable
from typing import Protocol

import anyio
import msgspec

from hermes.conversation.approvals import Approvals
from hermes.conversation.shards import Shards
from hermes.core.event import Answer, ApprovalAsked, Event
from hermes.core.ids import CallId, ConversationId, TurnId, is_uuid
from hermes.core.request import TurnRequest
from hermes.errors import ConversationUnknown, HomeLost
from hermes.store.homes import ParcelRow

_SOON_S = 3.0


class Route(Protocol):
    """Finds the home of a conversation, and speaks with it."""

    @property
    def leads(self) -> bool:
        """Whether there is anybody else whom it could lead to."""
        ...

    async def conversation_of(self, turn: TurnId) -> ConversationId:
        """The conversation of a turn that was asked for before; empty: it was not."""
        ...

    async def turn(self, request: TurnRequest, catch_up: Callable[[Event], None]) -> bool:
        """Take an addressed turn; False: it concerns this node alone."""
        ...

    async def approve(self, call_id: CallId, answer: Answer, reason: str) -> bool:
        """Answer an approval that is asked elsewhere; False when none is known or open."""
        ...

    async def stop(self, conversation: ConversationId) -> bool:
        """Stop what was asked for here and runs elsewhere; False when nothing does."""
        ...


class Intake:
    """The one door for turns; `route` is None outside a fleet."""

    def __init__(self, shards: Shards, approvals: Approvals) -> None:
        self.shards = shards
        self._approvals = approvals
        self._route: Route | None = None
        self._came = anyio.Event()
        self._due = -math.inf
        self.left: dict[str, ParcelRow] = {}
        """Turns that an earlier owner had on their way."""
        self.heard: dict[str, tuple[str, int]] = {}
        """Of turns that run elsewhere, what was told last: a route may begin again meanwhile."""
        self.asked: dict[CallId, ApprovalAsked] = {}
        """Approvals that are asked elsewhere."""

    @property
    def route(self) -> Route | None:
        """The fleet's, while there is one."""
        return self._route

    @route.setter
    def route(self, route: Route | None) -> None:
        if route is not None:
            self._came.set()
        elif self._route is not None:  # what led there begins anew, as a rule
            self._came = anyio.Event()
            self.expect()
        self._route = route

    def expect(self) -> None:
        """A route comes soon: turns wait a moment for it."""
        self._due = anyio.current_time() + _SOON_S

    async def _ready(self) -> Route | None:
        if self._route is None and anyio.current_time() < self._due:
            with anyio.CancelScope(deadline=self._due):
                await self._came.wait()
        return self._route

    async def address(self, request: TurnRequest) -> TurnRequest:
        """Give a turn its conversation; raises ConversationUnknown."""
        route = await self._ready()
        if route is None:
            if left := self.left.get(request.turn_id):
                named = ConversationId(left.conversation)
                return msgspec.structs.replace(request, conversation_id=named)
            return await self.shards.address(request)
        if known := await route.conversation_of(request.turn_id):
            return msgspec.structs.replace(request, conversation_id=known)
        try:
            return await self.shards.address(request)
        except ConversationUnknown:  # it may be another node's, and not be here yet
            if not (route.leads and is_uuid(request.conversation_id)):
                raise
            return request

    async def turn(self, request: TurnRequest, catch_up: Callable[[Event], None]) -> None:
        """Take an addressed turn; raises HomeLost for one that may be done elsewhere already."""
        route = await self._ready()
        if route is not None:
            taken = await route.turn(request, catch_up)
            # Its end may have been replicated since it was addressed: it is not to be done again.
            self.shards.release(request.turn_id)
            if taken:
                return
        left = self.left.get(request.turn_id)
        if route is None and left and left.forwarded:
            raise HomeLost(
                "this was sent to another machine, and may have been done there",
                "hermes node hears of it; look what was done before you ask for it again",
            )
        await self.shards.submit(request, catch_up)

    async def approve(self, call_id: CallId, answer: Answer, *, by: str, reason: str) -> bool:
        """Answer an approval, wherever it was asked."""
        if await self._approvals.answer(call_id, answer, by=by, reason=reason):
            return True
        return self.route is not None and await self.route.approve(call_id, answer, reason)

    async def stop(self, conversation: ConversationId) -> bool:
        """Stop a conversation's running turn, wherever it runs."""
        if self.shards.stop(conversation):
            return True
        return self.route is not None and await self.route.stop(conversation)

    def forget(self, turn: TurnId) -> None:
        """A turn that ran elsewhere is over."""
        self.shards.release(turn)
        self.heard.pop(turn, None)
        for call in [call for call, one in self.asked.items() if one.turn_id == turn]:
            del self.asked[call]

    def waiting(self) -> tuple[ApprovalAsked, ...]:
        """The approvals that wait for an answer."""
        return (*self._approvals.asked(), *self.asked.values())
