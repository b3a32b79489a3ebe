"""A front end's side of the door: asks over one wire, and outlives the owner behind it.

When the owner goes away, the opener finds or becomes the next one; running turns are asked
for again under their own ids, so that asking twice is asking once.
"""

import math
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

import anyio
import msgspec
from anyio.streams.memory import MemoryObjectSendStream

from hermes.core.clock import Clock
from hermes.core.event import Answer, Event, Json, Notice, TurnFailed, from_plain, is_final
from hermes.core.ids import CallId, ConversationId, TurnId
from hermes.core.request import PROTOCOL, TurnRequest
from hermes.errors import DoorError, HermesError, OwnerGone, ProtocolMismatch
from hermes.gateway.calls import Calls, NotRead, RemoteError
from hermes.gateway.wire import Wire

_TRIES = 5
_HELLO_S = 5.0  # an owner that does not greet within this is none
_LEAVE_S = 1.0  # for saying that nobody watches any more
_ANY = ConversationId("")


class Hello(msgspec.Struct, frozen=True):
    """Who the owner is; `owner_is_us` when it runs in this very process."""

    protocol: int
    version: str = ""
    pid: int = 0
    node: str = ""
    store: str = ""
    model: str = ""
    owner_is_us: bool = False


class Opener(Protocol):
    """Finds the owner, or becomes it."""

    async def open(self) -> tuple[Wire, bool]:
        """A fresh wire, and whether the owner is this process."""
        ...


@dataclass
class _Turn:
    """A turn that was asked for; `conversation` once it is known."""

    request: TurnRequest
    send: MemoryObjectSendStream[Event]
    conversation: ConversationId


class Client:
    """An open door to the owner of the store; `run` must run beside it."""

    def __init__(self, opener: Opener, clock: Clock) -> None:
        self._opener = opener
        self._clock = clock
        self._wire: Wire
        self.hello: Hello
        self._ready = anyio.Event()
        self._ended: HermesError | None = None
        self._calls = Calls()
        self._turns: dict[TurnId, _Turn] = {}
        self._watchers: dict[ConversationId, dict[MemoryObjectSendStream[Event], bool]] = {}

    async def connect(self, tries: int = 1) -> None:
        """Open the door and be greeted; raises DoorError, ProtocolMismatch or StoreError."""
        for left in reversed(range(tries)):
            try:
                await self._connect()
            except OwnerGone:  # it was about to quit
                if not left:
                    raise
            else:
                return

    async def _connect(self) -> None:
        self._wire, ours = await self._opener.open()
        try:
            self.hello = msgspec.structs.replace(await self._greeted(), owner_is_us=ours)
        except BaseException:
            await self._wire.aclose()
            raise
        self._ready.set()

    async def _greeted(self) -> Hello:
        with anyio.move_on_after(_HELLO_S):
            greeting = await self._wire.receive()
            try:
                hello = msgspec.convert(greeting.get("params"), Hello)
            except msgspec.ValidationError as error:
                raise DoorError(f"what answers there is no owner: {error}") from error
            if hello.protocol != PROTOCOL:
                raise ProtocolMismatch(
                    f"the owner (pid {hello.pid}, {hello.version}) speaks protocol "
                    f"{hello.protocol}, this program {PROTOCOL}",
                    "quit the older one and start again",
                )
            return hello
        raise OwnerGone("the owner of the store does not answer")

    async def run(self) -> None:
        """Take what the owner sends, until cancelled or no owner is left; closes the door then."""
        try:
            async with anyio.create_task_group() as tasks:
                try:
                    while True:
                        try:
                            self._take(await self._wire.receive())
                        except OwnerGone:
                            tasks.start_soon(self._ask_again, await self._reconnect())
                except HermesError as error:
                    self._end(error)
        finally:
            self._end(OwnerGone("the door is closed"))
            await self._wire.aclose()

    @asynccontextmanager
    async def turn(self, request: TurnRequest) -> AsyncGenerator[AsyncIterator[Event]]:
        """Run a turn; the iterator ends after the final event."""
        send, receive = anyio.create_memory_object_stream[Event](math.inf)
        self._turns[request.turn_id] = _Turn(request, send, request.conversation_id)
        try:
            with send, receive:
                with suppress(OwnerGone):  # `run` asks the next owner
                    await self._call("turn", **msgspec.to_builtins(request))
                yield receive
        finally:
            self._turns.pop(request.turn_id, None)

    @asynccontextmanager
    async def watch(
        self, conversation: ConversationId, *, interactive: bool = False
    ) -> AsyncGenerator[AsyncIterator[Event]]:
        """All events of a conversation from now on; approvals that wait come first."""
        send, receive = anyio.create_memory_object_stream[Event](math.inf)
        watchers = self._watchers.setdefault(conversation, {})
        watchers[send] = interactive
        try:
            with send, receive:
                with suppress(OwnerGone):
                    await self._call("watch", conversation_id=conversation, interactive=interactive)
                yield receive
        finally:
            del watchers[send]
            if not watchers:
                del self._watchers[conversation]
                await self._leave(conversation)

    async def _leave(self, conversation: ConversationId) -> None:
        """Nobody here looks any more: an approval must not wait for us."""
        if any(turn.conversation == conversation for turn in self._turns.values()):
            return
        with anyio.move_on_after(_LEAVE_S, shield=True), suppress(OwnerGone):
            await self._wire.note("unwatch", {"conversation_id": conversation})

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
        while True:
            await self._ready.wait()
            if self._ended is not None:
                gone = self._ended
                raise RemoteError(gone.message, gone.remedy, type(gone).__name__)
            with suppress(NotRead):  # then the next owner is asked
                return await self._calls.ask(self._wire, method, params)

    def _take(self, message: dict[str, Json]) -> None:
        if message.get("method") == "event":
            try:
                event = from_plain(message["params"])
            except (msgspec.ValidationError, ValueError):
                return  # a newer owner says things that we do not know yet
            for send in self._watchers.get(event.conversation_id, ()):
                send.send_nowait(event)
            if turn := self._turns.get(event.turn_id):
                turn.conversation = event.conversation_id
                self._tell(turn, event)
        else:
            self._calls.take(message)

    def _tell(self, turn: _Turn, event: Event) -> None:
        turn.send.send_nowait(event)
        if is_final(event):
            self._turns.pop(turn.request.turn_id)
            turn.send.close()

    async def _reconnect(self) -> str:
        """Find the next owner; returns what to tell of it."""
        self._ready = anyio.Event()
        self._calls.drop()
        await self._wire.aclose()
        was = self.hello.pid
        await self.connect(_TRIES)
        us = "this process" if self.hello.owner_is_us else f"pid {self.hello.pid}"
        return f"the owner (pid {was}) went away; {us} took over"

    async def _ask_again(self, notice: str) -> None:
        with suppress(OwnerGone):  # then there is a next one, and a next time
            for conversation, watchers in list(self._watchers.items()):
                interactive = any(watchers.values())
                await self._call("watch", conversation_id=conversation, interactive=interactive)
            for turn in list(self._turns.values()):
                turn.send.send_nowait(Notice(**self._head(turn), text=notice))
                try:
                    await self._call("turn", **msgspec.to_builtins(turn.request))
                except RemoteError as error:
                    self._fail(turn, error, error.kind)

    def _end(self, error: HermesError) -> None:
        """No owner is left: whoever waits is told, and whoever asks later too."""
        self._ended = self._ended or error
        self._calls.drop()
        for turn in list(self._turns.values()):
            self._fail(turn, error, type(error).__name__)
        for watchers in self._watchers.values():
            for send in watchers:
                send.close()
        self._ready.set()

    def _fail(self, turn: _Turn, error: HermesError, kind: str) -> None:
        if turn.request.turn_id in self._turns:
            head = self._head(turn)
            self._tell(
                turn, TurnFailed(**head, error=error.message, remedy=error.remedy, kind=kind)
            )

    def _head(self, turn: _Turn) -> dict[str, Json]:
        return {
            "conversation_id": turn.conversation,
            "turn_id": turn.request.turn_id,
            "at": self._clock.now_ms(),
        }
