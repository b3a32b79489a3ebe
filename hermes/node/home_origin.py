"""Where a person asks: turns are kept here until their end is known, wherever they run.

The route that the owner's front ends take (`node.intake`); approvals and stops find their way to
the home, events from there come out here as if the turn ran here.
"""

from collections.abc import Callable, Sequence

from hermes.core.event import Answer, ApprovalAnswered, ApprovalAsked, Event, is_final
from hermes.core.ids import CallId, ConversationId, TurnId
from hermes.core.request import TurnRequest
from hermes.errors import ConversationUnknown, TurnStopped
from hermes.mesh import routing
from hermes.node.home_ground import HomeGround
from hermes.node.home_letters import CONTROL, TTL_MS, Order, Told, read_events
from hermes.node.home_parcels import parcel_of, row_of
from hermes.node.home_turns import Hosting
from hermes.store.homes import ParcelRow
from hermes.store.statement import Statement


class Origin:
    """This node's side of the turns that are asked for here (`node.intake.Route`).

    Args:
        ground: what it stands on.
        hosting: what runs here.
        feed: takes a parcel on its way.
        place: the node where a conversation's directory is; empty: here, or not known.
    """

    def __init__(
        self,
        ground: HomeGround,
        hosting: Hosting,
        feed: Callable[[routing.Came], None],
        place: Callable[[ConversationId], str],
    ) -> None:
        self._store = ground.store
        self._bus = ground.bus
        self._intake = ground.intake
        self._shards = ground.intake.shards
        self._parcels = ground.parcels
        self._mail = ground.mail
        self._circle = ground.circle
        self._clock = ground.clock
        self._hosting = hosting
        self._feed = feed
        self._place = place
        self._asked = ground.intake.asked
        self._heard = ground.intake.heard

    @property
    def leads(self) -> bool:
        """Whether there is anybody else."""
        return len(self._circle.voters) > 1

    async def conversation_of(self, turn: TurnId) -> ConversationId:
        """The conversation of a turn that was asked for before."""
        row = self._parcels.get(turn) or await self._store.homes.get(turn)
        return ConversationId(row.conversation if row else "")

    async def turn(self, request: TurnRequest, catch_up: Callable[[Event], None]) -> bool:
        """Keep a turn and send it on its way; False: it concerns this node alone."""
        turn, conversation = request.turn_id, request.conversation_id
        if (final := await self._parcels.final(turn)) is not None:
            catch_up(final)
            return True
        if self._parcels.get(turn):
            return True
        if not self.leads or request.private or await self._hosting.is_known(turn):
            return False
        fresh = self._shards.is_fresh(conversation)
        try:
            private = not fresh and (await self._store.conversations.get(conversation)).private
            place = "" if fresh else self._place(conversation)
            place = place or self._hosting.me
        except ConversationUnknown:
            private, place = False, ""
        if private:
            return False
        expires = self._clock.now_ms() + TTL_MS
        row = row_of(request, self._hosting.me, place, expires, fresh=fresh)
        await self._parcels.add(row, request)
        self._feed(routing.Came(parcel_of(row)))
        return True

    async def approve(self, call_id: CallId, answer: Answer, reason: str) -> bool:
        """Take an answer to the home where the question was asked."""
        asked = self._asked.pop(call_id, None)
        row = self._parcels.get(asked.turn_id) if asked else None
        if row is None:
            return False
        await self._order(row, Order(
            row.turn, row.conversation, "approve", call_id, answer, reason
        ))  # fmt: skip
        return True

    async def stop(self, conversation: ConversationId) -> bool:
        """Stop what was asked for here in a conversation."""
        rows = [row for row in self._parcels.of(conversation) if row.origin == self._hosting.me]
        for row in rows:
            if row.forwarded:
                await self._order(row, Order(row.turn, row.conversation, "stop"))
            elif not await self._hosting.is_begun(row.turn):
                stopped = TurnStopped("stopped")
                await self._hosting.fail(row, stopped.message, stopped.remedy, "TurnStopped")
        return bool(rows)

    async def hear(self, told: Told, noted: Sequence[Statement]) -> bool:
        """Take what a home tells; whether `noted` was committed with it."""
        row = self._parcels.get(told.turn)
        mine = row is not None and (row.origin, row.conversation) == (
            self._hosting.me,
            told.conversation,
        )
        if not mine or await self._hosting.is_begun(told.turn):
            return False  # its end is known, or it went on here
        run, number = self._heard.get(told.turn, ("", 0))
        if run == told.run and told.number <= number:
            return False
        self._heard[told.turn] = (told.run, told.number)
        committed = False
        for event in read_events(told):
            if is_final(event):
                committed = await self._parcels.end(told.turn, event, *noted) and bool(noted)
                self._intake.forget(event.turn_id)
            self._note(event)
            self._bus.publish(event)
            if is_final(event):
                break
        return committed

    def _note(self, event: Event) -> None:
        if isinstance(event, ApprovalAsked):
            self._asked[event.call_id] = event
        elif isinstance(event, ApprovalAnswered):
            self._asked.pop(event.call_id, None)

    async def _order(self, row: ParcelRow, order: Order) -> None:
        await self._mail.send(row.forwarded, CONTROL, order, row.conversation, row.turn)
