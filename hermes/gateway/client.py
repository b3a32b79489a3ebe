"""A front end's side of the door: asks over one wire, and outlives the owner behind it.

When the owner goes away, the opener finds or becomes the next one; running turns are asked
for again under their own ids, so that asking twice is asking once.
"""

import math
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Protocol

import anyio
import msgspec
from anyio.streams.memory import MemoryObjectSendStream

from hermes.core.event import Answer, Event, Json, Notice, TurnFailed, from_plain, is_final
from hermes.core.ids import CallId, ConversationId, TurnId
from hermes.core.request import PROTOCOL, TurnRequest
from hermes.errors import DoorError, HermesError, OwnerGone, ProtocolMismatch
from hermes.gateway.wire import Wire

_TRIES = 5
_HELLO_S = 5.0  # an owner that does not greet within this is none


_ANY = ConversationId("")


class Hello(msgspec.Struct, frozen=True):
    """Who the owner is; `owner_is_us` when it runs in this very process."""

    protocol: int
    version: str
    pid: int
    node: str
    store: str
    model: str = ""
    owner_is_us: bool = False


class Opener(Protocol):
    """Finds the owner, or becomes it."""

    async def open(self) -> tuple[Wire, bool]:
        """A fresh wire, and whether the owner is this process."""
        ...


class RemoteError(HermesError):
    """What the owner answered instead of a result; `kind` is its error's class."""

    def __init__(self, message: str, remedy: str, kind: str) -> None:
        super().__init__(message, remedy)
        self.kind = kind


class _Pending:
    """A request that waits for its answer."""

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.answer: dict[str, Json] | None = None


class Client:
    """An open door to the owner of the store; `run` must run beside it."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._wire: Wire
        self.hello: Hello
        self._number = 0
        self._pending: dict[int, _Pending] = {}
        self._turns: dict[TurnId, tuple[TurnRequest, MemoryObjectSendStream[Event]]] = {}
        self._watchers: dict[ConversationId, list[MemoryObjectSendStream[Event]]] = {}

    async def connect(self) -> None:
        """Open the door and be greeted; raises DoorError, ProtocolMismatch or StoreError."""
        self._wire, ours = await self._opener.open()
        try:
            self.hello = msgspec.structs.replace(await self._greeted(), owner_is_us=ours)
        except BaseException:
            await self._wire.aclose()
            raise

    async def _greeted(self) -> Hello:
        with anyio.move_on_after(_HELLO_S):
            greeting = await self._wire.receive()
            hello = msgspec.convert(greeting.get("params"), Hello)
            if hello.protocol != PROTOCOL:
                raise ProtocolMismatch(
                    f"the owner (pid {hello.pid}, {hello.version}) speaks protocol "
                    f"{hello.protocol}, this program {PROTOCOL}",
                    "quit the older one and start again",
                )
            return hello
        raise OwnerGone("the owner of the store does not answer")

    async def run(self) -> None:
        """Take what the owner sends, until cancelled; closes the door then."""
        try:
            while True:
                try:
                    self._take(await self._wire.receive())
                except OwnerGone:
                    await self._reconnect()
        finally:
            await self._wire.aclose()

    @asynccontextmanager
    async def turn(self, request: TurnRequest) -> AsyncGenerator[AsyncIterator[Event]]:
        """Run a turn; the iterator ends after the final event."""
        send, receive = anyio.create_memory_object_stream[Event](math.inf)
        self._turns[request.turn_id] = (request, send)
        try:
            with send, receive:
                await self._ask_turn(request)
                yield receive
        finally:
            self._turns.pop(request.turn_id, None)

    @asynccontextmanager
    async def watch(
        self, conversation: ConversationId, *, interactive: bool = False
    ) -> AsyncGenerator[AsyncIterator[Event]]:
        """All events of a conversation from now on; approvals that wait come first."""
        send, receive = anyio.create_memory_object_stream[Event](math.inf)
        self._watchers.setdefault(conversation, []).append(send)
        try:
            with send, receive:
                await self._call("watch", conversation_id=conversation, interactive=interactive)
                yield receive
        finally:
            self._watchers[conversation].remove(send)
            if not self._watchers[conversation]:
                del self._watchers[conversation]

    async def approve(self, call_id: CallId, answer: Answer, reason: str = "") -> bool:
        """Answer an approval; False when somebody was faster."""
        return bool(await self._call("approve", call_id=call_id, answer=answer, reason=reason))

    async def stop(self, conversation: ConversationId) -> bool:
        """Stop a conversation's running turn; False when none runs."""
        return bool(await self._call("stop", conversation_id=conversation))

    async def status(self, conversation: ConversationId = _ANY) -> dict[str, Json]:
        """What the owner does right now."""
        status: dict[str, Json] = await self._call("status", conversation_id=conversation)
        return status

    async def query(self, name: str, /, **arguments: Json) -> Json:
        """Look something up or change it, by name."""
        return await self._call("query", name=name, arguments=arguments)

    async def _call(self, method: str, **params: Json) -> Json:
        self._number += 1
        number, pending = self._number, _Pending()
        self._pending[number] = pending
        try:
            await self._wire.send(
                {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            )
            await pending.done.wait()
        finally:
            self._pending.pop(number, None)
        if pending.answer is None:
            raise OwnerGone("the owner of the store went away", "try again")
        if error := pending.answer.get("error"):
            data = error.get("data") or {}
            raise RemoteError(error["message"], data.get("remedy", ""), data.get("kind", ""))
        return pending.answer.get("result")

    def _take(self, message: dict[str, Json]) -> None:
        if message.get("method") == "event":
            event = from_plain(message["params"])
            for send in self._watchers.get(event.conversation_id, ()):
                send.send_nowait(event)
            if event.turn_id in self._turns:
                send = self._turns[event.turn_id][1]
                send.send_nowait(event)
                if is_final(event):
                    self._turns.pop(event.turn_id)
                    send.close()
        elif pending := self._pending.get(message.get("id", 0)):
            pending.answer = message
            pending.done.set()

    async def _ask_turn(self, request: TurnRequest) -> None:
        try:
            await self._call("turn", **msgspec.to_builtins(request))
        except OwnerGone:
            return  # `run` reconnects and asks again

    async def _reconnect(self) -> None:
        for pending in list(self._pending.values()):
            pending.done.set()
        await self._wire.aclose()
        was = self.hello
        for _ in range(_TRIES):
            with suppress(OwnerGone):
                await self.connect()
                break
        else:
            raise OwnerGone("the owner of the store went away and none answers", "start again")
        us = "this process" if self.hello.owner_is_us else f"pid {self.hello.pid}"
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._take_until_asked)
            for conversation in self._watchers:
                await self._call("watch", conversation_id=conversation, interactive=True)
            for request, send in list(self._turns.values()):
                notice = f"the owner (pid {was.pid}) went away; {us} took over"
                await self._again(request, send, notice)
            tasks.cancel_scope.cancel()

    async def _take_until_asked(self) -> None:
        try:
            while True:
                self._take(await self._wire.receive())
        except OwnerGone:
            for pending in list(self._pending.values()):
                pending.done.set()

    async def _again(
        self, request: TurnRequest, send: MemoryObjectSendStream[Event], notice: str
    ) -> None:
        place: dict[str, Json] = {
            "conversation_id": request.conversation_id,
            "turn_id": request.turn_id,
            "at": 0,
        }
        send.send_nowait(Notice(**place, text=notice))
        try:
            await self._ask_turn(request)
        except DoorError:
            raise
        except HermesError as error:
            failed = TurnFailed(**place, error=error.message, remedy=error.remedy)
            send.send_nowait(failed)
            send.close()
            self._turns.pop(request.turn_id, None)
