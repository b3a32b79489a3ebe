"""One conversation's actor: takes turns one after the other, and lets a turn be stopped."""

from contextlib import suppress

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

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
        self._stopped = False
        self.running: TurnRequest | None = None
        self.over = anyio.Event()  # of the running turn
        self.waiting: dict[TurnId, TurnRequest] = {}
        self._send: MemoryObjectSendStream[TurnRequest]
        self._receive: MemoryObjectReceiveStream[TurnRequest]
        self._send, self._receive = anyio.create_memory_object_stream[TurnRequest](_QUEUE)

    def has(self, turn: TurnId) -> bool:
        """Whether a turn runs or waits here."""
        return turn in self.waiting or (self.running is not None and self.running.turn_id == turn)

    def submit(self, request: TurnRequest) -> None:
        """Queue a turn; raises TurnError when too many wait."""
        try:
            self._send.send_nowait(request)
        except anyio.WouldBlock:
            raise TurnError(f"{_QUEUE} messages wait already", "wait, or /stop") from None
        self.waiting[request.turn_id] = request

    def stop(self) -> bool:
        """Stop the running turn; False when none runs."""
        if self._scope is None or self.running is None:
            return False
        self._stopped = True
        self._scope.cancel()
        return True

    async def run(self) -> None:
        """Run turns until closed, cancelled, or quiet for long."""
        with self._send, self._receive:
            while (request := await self._next()) is not None:
                self.waiting.pop(request.turn_id, None)
                self.running, self._stopped, self.over = request, False, anyio.Event()
                record = Record(
                    self._kit.bus, self._kit.clock, self.session.conversation, request.turn_id
                )
                try:
                    with anyio.CancelScope() as self._scope:
                        await self._one(request, record)
                    if self._stopped and self._scope.cancelled_caught:
                        await self._close(request, record, TurnStopped("stopped"))
                finally:
                    self.session.busy.clear()
                    self.running = self._scope = None
                    self.over.set()

    def close(self) -> None:
        """Take no more turns."""
        self._send.close()

    async def _next(self) -> TurnRequest | None:
        with anyio.move_on_after(_QUIET_S), suppress(anyio.EndOfStream):
            return await self._receive.receive()
        return None

    async def _one(self, request: TurnRequest, record: Record) -> None:
        """Begin and run one turn; a bug ends the turn, not the conversation."""
        try:
            await close_earlier(self._kit, self.session, request, record)
            resumed = await self._begin(request)
            record.started(request.model, resumed=resumed)
            await run_turn(self._kit, self.session, request, record)
        except HermesError as error:
            record.failed(error)
        except Exception as error:  # noqa: BLE001 - the edge of a background task
            self._kit.report("turn", error)
            broken = TurnError(f"internal error: {type(error).__name__}: {error}", "see the log")
            await self._close(request, record, broken)

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

    async def _close(self, request: TurnRequest, record: Record, error: HermesError) -> None:
        with anyio.CancelScope(shield=True):
            await fail_turn(self._kit, self.session, request, record, error)
