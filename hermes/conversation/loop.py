"""One conversation's actor: takes turns one after the other, and lets a turn be stopped."""

import anyio

from hermes.conversation.kit import Kit
from hermes.conversation.mend import close_earlier, fail_turn
from hermes.conversation.record import Record
from hermes.conversation.session import Session
from hermes.conversation.turn import run_turn
from hermes.core.ids import TurnId
from hermes.core.message import Text
from hermes.core.request import TurnRequest
from hermes.errors import HermesError, TurnError, TurnStopped
from hermes.store.conversations import NewConversation

_QUIET_S = 1_800.0  # then a session is put away
_QUEUE = 100  # messages that may wait for a running turn


class Loop:
    """The turns of one open conversation, in the order in which they came."""

    def __init__(self, kit: Kit, session: Session) -> None:
        self._kit = kit
        self.session = session
        self._scope: anyio.CancelScope | None = None
        self._stopped = self._closed = False
        self._news = anyio.Event()
        self.running: TurnRequest | None = None
        self.waiting: dict[TurnId, TurnRequest] = {}
        self.idle = anyio.Event()
        self.idle.set()

    def has(self, turn: TurnId) -> bool:
        """Whether a turn runs or waits here."""
        return turn in self.waiting or (self.running is not None and self.running.turn_id == turn)

    def submit(self, request: TurnRequest) -> None:
        """Queue a turn; raises TurnError when too many wait."""
        if len(self.waiting) >= _QUEUE:
            raise TurnError(f"{_QUEUE} messages wait already", "wait, or /stop")
        self.waiting[request.turn_id] = request
        if self.idle.is_set():
            self.idle = anyio.Event()
        self._news.set()

    def withdraw(self, turn: TurnId) -> bool:
        """Take back a turn that waits; False when it runs, or is not here."""
        if self.waiting.pop(turn, None) is None:
            return False
        if not self.waiting and self.running is None:
            self.idle.set()
        return True

    def stop(self) -> bool:
        """Stop the running turn; False when none runs."""
        if self._scope is None:
            return False
        self._stopped = True
        self._scope.cancel()
        return True

    def close(self) -> None:
        """Take no more turns."""
        self._closed = True
        self._news.set()

    async def run(self) -> None:
        """Run turns until closed, cancelled, or quiet for long."""
        while (request := await self._next()) is not None:
            kit, session = self._kit, self.session
            record = Record(kit.bus, kit.clock, session.conversation, request.turn_id, session.busy)
            self.running, self._stopped = request, False
            try:
                with anyio.CancelScope() as self._scope:
                    await self._one(request, record)
            finally:
                if self._stopped:
                    await self._end(request, record, TurnStopped("stopped"))
                session.busy.clear()
                self.running = self._scope = None
                if not self.waiting:
                    self.idle.set()

    async def _next(self) -> TurnRequest | None:
        # From the last look at the queue to the end of `run` nothing awaits: no message that
        # comes meanwhile can be lost in a loop that takes none.
        with anyio.move_on_after(_QUIET_S):
            while not (self.waiting or self._closed):
                self._news = anyio.Event()
                await self._news.wait()
        return self.waiting.pop(next(iter(self.waiting))) if self.waiting else None

    async def _one(self, request: TurnRequest, record: Record) -> None:
        """Begin and run one turn; a bug ends the turn, not the conversation."""
        try:
            with anyio.CancelScope(shield=True):  # a stop finds the turn begun
                await close_earlier(self._kit, self.session, request, record)
                resumed = await self._begin(request)
            record.started(self._kit.models.named(request), resumed=resumed)
            for text in self._kit.news(self.session.conversation):
                record.notice(text)
            await run_turn(self._kit, self.session, request, record)
        except HermesError as error:
            self.session.unclosed = True  # its end, if it was begun, is not in the store
            record.failed(error)
        except Exception as error:  # noqa: BLE001 - the edge of a background task
            self.session.unclosed = True
            self._kit.report("turn", error)
            broken = TurnError(f"internal error: {type(error).__name__}: {error}", "see the log")
            await self._end(request, record, broken)

    async def _begin(self, request: TurnRequest) -> bool:
        """Make the user's message durable; True when it was already, by an earlier owner."""
        kit, session = self._kit, self.session
        message = session.write(kit.clock, request.turn_id, "user", (Text(request.text),))
        new: NewConversation | None = None
        if session.new:
            new = NewConversation(session.conversation, request.root, private=request.private)
        _, fresh = await kit.store.turns.begin(request, (message,), new=new)
        session.new = False
        if fresh:
            session.stored(message)
        else:
            await kit.store.turns.attempt(request.turn_id)
        return not fresh

    async def _end(self, request: TurnRequest, record: Record, error: HermesError) -> None:
        """Close a turn that has no answer; said in any case, stored where the store can."""
        if record.over:
            return
        try:
            with anyio.CancelScope(shield=True):
                await fail_turn(self._kit, self.session, request, record, error)
        except Exception as worse:  # noqa: BLE001 - the edge of a background task
            self.session.unclosed = True
            self._kit.report("the end of a turn", worse)
            record.failed(error)
