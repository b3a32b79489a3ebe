"""A home's work: it runs the turns that came to it, and tells each one's origin what happens.

What came from another machine runs with the rights of a guest: nothing without being asked, no
model of its own choosing, in the conversation's own directory. What was begun and may have been
done elsewhere is told, never repeated.
"""

from collections.abc import Callable

import anyio
from anyio.abc import TaskGroup, TaskStatus
from anyio.streams.memory import MemoryObjectReceiveStream

from hermes.core.event import Event, TurnFailed, is_final
from hermes.core.ids import CallId, ConversationId, TurnId
from hermes.errors import HermesError, TurnStopped
from hermes.node.home_ground import HomeGround
from hermes.node.home_guest import as_guest
from hermes.node.home_letters import Order
from hermes.node.home_telling import Telling
from hermes.store.homes import ParcelRow

_LOST = "the machine where this ran went away: it may have been done there"
_LOST_REMEDY = "look what was done before you ask for it again"


class Hosting:
    """What is done at a conversation's home; tasks run in `tasks`."""

    def __init__(self, ground: HomeGround) -> None:
        self.me = ground.me
        self._store = ground.store
        self._bus = ground.bus
        self._intake = ground.intake
        self._parcels = ground.parcels
        self._mail = ground.mail
        self._circle = ground.circle
        self._clock = ground.clock
        self._running: dict[str, str] = {}
        self._tellings: dict[str, Telling] = {}
        self._moved = anyio.Event()
        self.tasks: TaskGroup
        """Set before anything is begun."""
        self.ended: Callable[[str], None] = lambda _conversation: None
        """Hears of each conversation in which a turn ended here."""

    def runs(self, turn: str) -> bool:
        """Whether a turn is under way here."""
        return turn in self._running

    def busy(self, conversation: str) -> bool:
        """Whether any is, in a conversation."""
        return conversation in self._running.values()

    def moved(self) -> None:
        """Who is there has changed."""
        moved, self._moved = self._moved, anyio.Event()
        moved.set()

    async def is_known(self, turn: str) -> bool:
        """Whether a turn was begun here, or its end is known here."""
        return await self._store.turns.get(TurnId(turn)) is not None

    async def is_begun(self, turn: str) -> bool:
        """Whether a turn was begun here and has not ended."""
        record = await self._store.turns.get(TurnId(turn))
        return self.runs(turn) or (record is not None and record.state == "running")

    async def begin(self, row: ParcelRow) -> None:
        """Run a turn, or join it, or tell how it ended."""
        if not self.runs(row.turn):
            self._running[row.turn] = row.conversation
            await self.tasks.start(self._run, row)

    async def look(self, row: ParcelRow, since: int) -> None:
        """It was begun before, here or elsewhere: go on with it where that is safe, or say so."""
        record = await self._store.turns.get(TurnId(row.turn))
        if record is None:
            noted = await self._store.homes.mine(row.conversation, row.turn)
            kept = row.origin == self.me and not row.forwarded  # nobody else ever had it
            # Or it was this very node that would have begun it, and nobody was home since.
            if kept or (noted is not None and noted >= since):
                await self.begin(row)
            else:
                await self.lost(row)
        elif record.state != "running" or await self._untouched(row):
            await self.begin(row)
        else:
            await self.lost(row)

    async def answer(self, row: ParcelRow) -> None:
        """Say what became of a turn to its origin, now its home; nothing where it never was."""
        if self.runs(row.turn):
            return
        noted = await self._store.homes.mine(row.conversation, row.turn)
        if await self.is_begun(row.turn) or (
            noted is not None and not await self.is_known(row.turn)
        ):
            await self.lost(row)
        elif await self.is_known(row.turn):
            await self.begin(row)

    async def lost(self, row: ParcelRow) -> None:
        """Say that nobody knows whether it was done."""
        await self.fail(row, _LOST, _LOST_REMEDY, "HomeLost")

    async def fail(self, row: ParcelRow, error: str, remedy: str, kind: str) -> None:
        """End a turn that is not run."""
        final = self._failure(row, error, remedy, kind)
        if not await self._parcels.end(row.turn, final):
            return
        if row.origin == self.me:
            self._intake.forget(final.turn_id)
            self._bus.publish(final)
        else:
            self.repeat(row, final)

    def repeat(self, row: ParcelRow, final: Event) -> None:
        """Tell a turn's end to where it came from, unless it is just being told with the rest."""
        if row.turn in self._tellings:
            return
        telling = Telling(self._mail, row.origin, row.turn, row.conversation)
        telling.tell(final)
        self.tasks.start_soon(telling.run)

    def tell_so_far(self, row: ParcelRow) -> None:
        """The origin of a turn that runs began again: tell it what happened."""
        if telling := self._tellings.get(row.turn):
            for event in self._bus.so_far(ConversationId(row.conversation)):
                if event.turn_id == row.turn:
                    telling.tell(event)

    async def obey(self, row: ParcelRow, order: Order) -> None:
        """Do what a person at the origin said."""
        turn, loop = TurnId(row.turn), self._intake.shards.find(ConversationId(row.conversation))
        stopped = TurnStopped("stopped")
        if order.what == "approve":
            own = {one.call_id for one in self._intake.waiting() if one.turn_id == turn}
            if order.call_id in own:
                await self._intake.approve(
                    CallId(order.call_id), order.answer, by=row.origin[:8], reason=order.reason
                )
        elif not self.runs(row.turn):
            await self.fail(row, stopped.message, stopped.remedy, "TurnStopped")
        elif loop and loop.withdraw(turn):
            self._bus.publish(self._failure(row, stopped.message, stopped.remedy, "TurnStopped"))
        elif loop and loop.running and loop.running.turn_id == turn:
            loop.stop()

    async def _untouched(self, row: ParcelRow) -> bool:
        """Whether nothing was said after a turn's own messages, so that it may go on."""
        conversation = ConversationId(row.conversation)
        loop = self._intake.shards.find(conversation)
        if loop and loop.has(TurnId(row.turn)):
            return True
        info = await self._store.conversations.get(conversation)
        history = await self._store.conversations.history(conversation)
        last = history[-1].message if history else None
        return len(info.heads) == 1 and last is not None and last.turn == row.turn

    async def _run(self, row: ParcelRow, *, task_status: TaskStatus[None]) -> None:
        try:
            with self._bus.watch(ConversationId(row.conversation)) as events:
                late: list[Event] = []
                await self._submit(row, late.append)
                task_status.started()
                if row.origin == self.me:
                    await self._finish(row, late, events, lambda _event: None)
                    return
                async with anyio.create_task_group() as tasks:
                    telling = Telling(self._mail, row.origin, row.turn, row.conversation)
                    self._tellings[row.turn] = telling
                    tasks.start_soon(telling.run)
                    if self._parcels.request(row).interactive:
                        tasks.start_soon(self._attend, row)
                    await self._finish(row, late, events, telling.tell)
        except anyio.EndOfStream:
            return  # too slow for the bus: its origin asks again
        finally:
            self._tellings.pop(row.turn, None)
            self._leave(row)

    async def _finish(
        self,
        row: ParcelRow,
        late: list[Event],
        events: MemoryObjectReceiveStream[Event],
        tell: Callable[[Event], None],
    ) -> None:
        """Pass a turn's events on to its end, which is on disk before it is told."""
        for event in late[:-1]:
            tell(event)
        final = late[-1] if late else None
        while final is None:
            event = await events.receive()
            if event.turn_id == row.turn and is_final(event):
                final = event
            elif event.turn_id == row.turn:
                tell(event)
        if await self._parcels.end(row.turn, final) and late and row.origin == self.me:
            for event in late:
                self._bus.publish(event)
        tell(final)
        self._leave(row)

    def _leave(self, row: ParcelRow) -> None:
        if self._running.pop(row.turn, None):
            self.moved()
            self.ended(row.conversation)

    async def _submit(self, row: ParcelRow, catch_up: Callable[[Event], None]) -> None:
        request = self._parcels.request(row)
        try:
            if row.origin != self.me:
                request = await as_guest(request, self._store)
            elif not row.place:  # nobody knew it when it was asked for: fetched since, or unknown
                await self._store.conversations.get(ConversationId(row.conversation))
            await self._intake.shards.submit(request, catch_up)
        except HermesError as error:
            catch_up(self._failure(row, error.message, error.remedy, type(error).__name__))

    def _failure(self, row: ParcelRow, error: str, remedy: str, kind: str) -> TurnFailed:
        return TurnFailed(
            conversation_id=ConversationId(row.conversation),
            turn_id=TurnId(row.turn),
            at=self._clock.now_ms(),
            error=error,
            remedy=remedy,
            kind=kind,
        )

    async def _attend(self, row: ParcelRow) -> None:
        """Be there for approvals on behalf of who asked, while their machine is there."""
        while self.runs(row.turn):
            moved = self._moved
            if row.origin in self._circle.live:
                with self._bus.attend(ConversationId(row.conversation)):
                    await moved.wait()
            else:
                await moved.wait()
