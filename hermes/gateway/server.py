"""The owner's door: JSON-RPC 2.0 for every front end, in this process or through the socket.

Control is answered while a turn runs: each request has its own task. Who may come in is
decided by the socket's directory (0700), not here.
"""

from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any, Protocol

import anyio
import msgspec
from anyio.abc import TaskGroup, TaskStatus

from hermes.conversation.bus import Bus
from hermes.core.event import Answer, Event, Json, to_plain
from hermes.core.ids import CallId, ConversationId
from hermes.core.request import PROTOCOL, TurnRequest
from hermes.errors import DoorError, HermesError, OwnerGone
from hermes.gateway.gather import gathered
from hermes.gateway.wire import Wire

_LEAVE_S = 1.0  # for the last answers of an owner that quits


class Desk(Protocol):
    """What the owner does for its front ends."""

    bus: Bus

    def hello(self) -> dict[str, Json]:
        """Who the owner is."""
        ...

    async def address(self, request: TurnRequest) -> TurnRequest:
        """Give a turn its conversation: the named one, or a new id."""
        ...

    async def turn(self, request: TurnRequest, catch_up: Callable[[Event], None]) -> None:
        """Take a turn; `catch_up` gets the events of one that is over already."""
        ...

    async def approve(self, call_id: CallId, answer: Answer, *, by: str, reason: str) -> bool:
        """Answer an approval."""
        ...

    async def stop(self, conversation: ConversationId) -> bool:
        """Stop a conversation's running turn."""
        ...

    async def status(self, conversation: ConversationId) -> dict[str, Json]:
        """What runs."""
        ...

    async def query(self, name: str, arguments: dict[str, Json]) -> Json:
        """Look something up or change it, by name."""
        ...

    def so_far(self, conversation: ConversationId) -> tuple[Event, ...]:
        """What was told of the turn that runs: for who comes in the middle of it."""
        ...

    def waiting(self, conversation: ConversationId) -> tuple[Event, ...]:
        """Approvals that wait for an answer."""
        ...

    def report(self, where: str, error: BaseException) -> None:
        """Write a bug down."""
        ...


class _Place(msgspec.Struct, frozen=True):
    conversation_id: ConversationId = ConversationId("")


class _Watch(msgspec.Struct, frozen=True):
    conversation_id: ConversationId
    interactive: bool = False


class _Approve(msgspec.Struct, frozen=True):
    call_id: CallId
    answer: Answer
    reason: str = ""


class _Query(msgspec.Struct, frozen=True):
    name: str
    arguments: dict[str, Json] = {}


class Visitor:
    """One connected front end."""

    def __init__(self, desk: Desk, wire: Wire, name: str) -> None:
        self._desk = desk
        self._wire = wire
        self._name = name
        self._reading = anyio.CancelScope()
        self._asked = 0  # requests without an answer
        self._answered = anyio.Event()
        self._watched: dict[ConversationId, anyio.CancelScope] = {}
        self._attended: dict[ConversationId, anyio.CancelScope] = {}
        self._verbs: dict[str, _Verb] = {
            "turn": (TurnRequest, self._turn),
            "watch": (_Watch, self._watch),
            "unwatch": (_Place, self._unwatch),
            "approve": (_Approve, self._approve),
            "stop": (_Place, self._stop),
            "status": (_Place, self._status),
            "query": (_Query, self._query),
        }

    async def serve(self) -> None:
        """Answer until the front end goes away."""
        try:
            async with anyio.create_task_group() as tasks:
                with self._reading, suppress(DoorError):  # it went away, or spoke nonsense
                    hello = {"protocol": PROTOCOL, **self._desk.hello()}
                    await self._wire.note("hello", hello)
                    while True:
                        message = await self._wire.receive()
                        self._asked += 1
                        tasks.start_soon(self._answer, tasks, message)
                if self._reading.cancel_called:
                    await self._take_leave()
                tasks.cancel_scope.cancel()
        finally:
            await self._wire.aclose()

    def close(self) -> None:
        """Read no more; what was read is answered, and then `serve` ends."""
        self._reading.cancel()

    async def _take_leave(self) -> None:
        with anyio.move_on_after(_LEAVE_S), suppress(OwnerGone):
            while self._asked:
                self._answered = anyio.Event()
                await self._answered.wait()
            await self._wire.note("bye", {})

    async def _answer(self, tasks: TaskGroup, message: dict[str, Json]) -> None:
        answer = await self._reply(tasks, message)
        number = message.get("id")
        if number is not None:
            with suppress(OwnerGone):
                await self._wire.send({"jsonrpc": "2.0", "id": number, **answer})
        self._asked -= 1
        self._answered.set()

    async def _reply(self, tasks: TaskGroup, message: dict[str, Json]) -> dict[str, Json]:
        verb = self._verbs.get(str(message.get("method")))
        if verb is None:
            return _error(-32601, "no such method", "Usage")
        kind, work = verb
        try:
            params = msgspec.convert(message.get("params") or {}, kind)
        except msgspec.ValidationError as error:
            return _error(-32602, f"bad parameters: {error}", "Usage")
        try:
            return {"result": await work(tasks, params)}
        except HermesError as error:
            return _error(-32000, error.message, type(error).__name__, error.remedy)
        except Exception as error:  # noqa: BLE001 - a defect costs a request, not the visit
            self._desk.report("a request", error)
            what = f"internal error: {type(error).__name__}: {error}"
            return _error(-32603, what, "", "see the log")

    async def _turn(self, tasks: TaskGroup, asked: TurnRequest) -> Json:
        request = await self._desk.address(asked)
        await self._follow(tasks, request.conversation_id, interactive=request.interactive)
        late: list[Event] = []
        await self._desk.turn(request, late.append)
        for event in late:
            await self._tell(event)
        return {"conversation_id": request.conversation_id, "turn_id": request.turn_id}

    async def _watch(self, tasks: TaskGroup, asked: _Watch) -> Json:
        known = asked.conversation_id in self._watched
        await self._follow(tasks, asked.conversation_id, interactive=asked.interactive)
        for event in self._desk.waiting(asked.conversation_id) if known else ():
            await self._tell(event)
        return {}

    async def _unwatch(self, _tasks: TaskGroup, asked: _Place) -> Json:
        for stays in (self._watched, self._attended):
            if scope := stays.pop(asked.conversation_id, None):
                scope.cancel()
        return {}

    async def _follow(
        self, tasks: TaskGroup, conversation: ConversationId, *, interactive: bool
    ) -> None:
        if interactive and conversation not in self._attended:
            scope = self._attended[conversation] = anyio.CancelScope()
            await tasks.start(self._attend, conversation, scope)
        if conversation not in self._watched:
            scope = self._watched[conversation] = anyio.CancelScope()
            await tasks.start(self._forward, conversation, scope)

    async def _attend(
        self,
        conversation: ConversationId,
        scope: anyio.CancelScope,
        *,
        task_status: TaskStatus[None],
    ) -> None:
        with scope, self._desk.bus.attend(conversation):
            task_status.started()
            await anyio.sleep_forever()

    async def _forward(
        self,
        conversation: ConversationId,
        scope: anyio.CancelScope,
        *,
        task_status: TaskStatus[None],
    ) -> None:
        with scope, self._desk.bus.watch(conversation) as events:
            so_far = self._desk.so_far(conversation)
            task_status.started()
            with suppress(OwnerGone):
                for event in so_far:
                    await self._tell(event)
                async with aclosing(gathered(events)) as told:
                    async for event in told:
                        await self._tell(event)
            await self._wire.aclose()  # too slow for the bus: let it come again

    async def _tell(self, event: Event) -> None:
        await self._wire.note("event", to_plain(event))

    async def _approve(self, _tasks: TaskGroup, asked: _Approve) -> Json:
        return await self._desk.approve(
            asked.call_id, asked.answer, by=self._name, reason=asked.reason
        )

    async def _stop(self, _tasks: TaskGroup, asked: _Place) -> Json:
        return await self._desk.stop(asked.conversation_id)

    async def _status(self, _tasks: TaskGroup, asked: _Place) -> Json:
        return await self._desk.status(asked.conversation_id)

    async def _query(self, _tasks: TaskGroup, asked: _Query) -> Json:
        return await self._desk.query(asked.name, asked.arguments)


_Verb = tuple[type[msgspec.Struct], Callable[[TaskGroup, Any], Awaitable[Json]]]


def _error(code: int, message: str, kind: str, remedy: str = "") -> dict[str, Json]:
    data = {"kind": kind, "remedy": remedy}
    return {"error": {"code": code, "message": message, "data": data}}
