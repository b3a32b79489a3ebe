"""The owner's door: JSON-RPC 2.0 for every front end, in this process or through the socket.

Control is answered while a turn runs: each request has its own task. Who may come in is
decided by the socket's directory (0700), not here.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

import anyio
import msgspec
from anyio.abc import TaskGroup, TaskStatus

from hermes.conversation.bus import Bus
from hermes.core.event import Answer, Event, Json, to_plain
from hermes.core.ids import CallId, ConversationId
from hermes.core.request import PROTOCOL, TurnRequest
from hermes.errors import DoorError, HermesError, OwnerGone
from hermes.gateway.wire import Wire


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

    def waiting(self, conversation: ConversationId) -> tuple[Event, ...]:
        """Approvals that wait for an answer."""
        ...


class Visitor:
    """One connected front end."""

    def __init__(self, desk: Desk, wire: Wire, name: str) -> None:
        self._desk = desk
        self._wire = wire
        self._name = name
        self._watched: dict[ConversationId, anyio.CancelScope] = {}
        self._verbs: dict[str, Callable[[TaskGroup, dict[str, Json]], Awaitable[Json]]] = {
            "turn": self._turn,
            "watch": self._watch,
            "unwatch": self._unwatch,
            "approve": self._approve,
            "stop": self._stop,
            "status": self._status,
            "query": self._query,
        }

    async def serve(self) -> None:
        """Answer until the front end goes away."""
        try:
            async with anyio.create_task_group() as tasks:
                with suppress(DoorError):  # it went away, or spoke nonsense
                    hello = {"protocol": PROTOCOL, **self._desk.hello()}
                    await self._wire.send(_note("hello", hello))
                    while True:
                        tasks.start_soon(self._answer, tasks, await self._wire.receive())
                tasks.cancel_scope.cancel()
        finally:
            await self._wire.aclose()

    async def _answer(self, tasks: TaskGroup, message: dict[str, Json]) -> None:
        number, verb = message.get("id"), self._verbs.get(str(message.get("method")))
        answer: dict[str, Json] = {"jsonrpc": "2.0", "id": number}
        try:
            if verb is None:
                answer["error"] = {"code": -32601, "message": "no such method"}
            else:
                params = message.get("params") or {}
                answer["result"] = await verb(tasks, dict(params))
        except HermesError as error:
            answer["error"] = {
                "code": -32000,
                "message": error.message,
                "data": {"kind": type(error).__name__, "remedy": error.remedy},
            }
        except (msgspec.ValidationError, KeyError, TypeError, ValueError) as error:
            answer["error"] = {"code": -32602, "message": f"bad parameters: {error}"}
        if number is not None:
            with suppress(OwnerGone):
                await self._wire.send(answer)

    async def _turn(self, tasks: TaskGroup, params: dict[str, Json]) -> Json:
        request = await self._desk.address(msgspec.convert(params, TurnRequest))
        await self._follow(tasks, request.conversation_id, interactive=request.interactive)
        late: list[Event] = []
        await self._desk.turn(request, late.append)
        for event in late:
            await self._wire.send(_note("event", to_plain(event)))
        return {"conversation_id": request.conversation_id, "turn_id": request.turn_id}

    async def _watch(self, tasks: TaskGroup, params: dict[str, Json]) -> Json:
        conversation = ConversationId(str(params["conversation_id"]))
        await self._follow(tasks, conversation, interactive=bool(params.get("interactive")))
        for event in self._desk.waiting(conversation):
            await self._wire.send(_note("event", to_plain(event)))
        return {}

    async def _unwatch(self, _tasks: TaskGroup, params: dict[str, Json]) -> Json:
        scope = self._watched.pop(ConversationId(str(params["conversation_id"])), None)
        if scope is not None:
            scope.cancel()
        return {}

    async def _follow(
        self, tasks: TaskGroup, conversation: ConversationId, *, interactive: bool
    ) -> None:
        if conversation not in self._watched:
            self._watched[conversation] = anyio.CancelScope()
            await tasks.start(self._forward, conversation, interactive)

    async def _forward(
        self,
        conversation: ConversationId,
        interactive: bool,  # noqa: FBT001 - task groups pass by position
        *,
        task_status: TaskStatus[None],
    ) -> None:
        with (
            self._watched[conversation],
            self._desk.bus.watch(conversation, interactive=interactive) as events,
        ):
            task_status.started()
            with suppress(OwnerGone):
                async for event in events:
                    await self._wire.send(_note("event", to_plain(event)))

    async def _approve(self, _tasks: TaskGroup, params: dict[str, Json]) -> Json:
        answer = msgspec.convert(params["answer"], Answer)
        reason = str(params.get("reason", ""))
        call = CallId(str(params["call_id"]))
        return await self._desk.approve(call, answer, by=self._name, reason=reason)

    async def _stop(self, _tasks: TaskGroup, params: dict[str, Json]) -> Json:
        return await self._desk.stop(ConversationId(str(params["conversation_id"])))

    async def _status(self, _tasks: TaskGroup, params: dict[str, Json]) -> Json:
        return await self._desk.status(ConversationId(str(params.get("conversation_id", ""))))

    async def _query(self, _tasks: TaskGroup, params: dict[str, Json]) -> Json:
        return await self._desk.query(str(params["name"]), dict(params.get("arguments") or {}))


def _note(method: str, params: dict[str, Json]) -> dict[str, Json]:
    return {"jsonrpc": "2.0", "method": method, "params": params}
