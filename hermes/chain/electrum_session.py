"""Calls to an Electrum server: many at once over one connection, dialled anew when it is gone."""

import itertools
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Self

import anyio
import anyio.abc
import msgspec
from anyio import AsyncContextManagerMixin

from hermes.chain.electrum_wire import Wire, dial
from hermes.chain.http import Limits
from hermes.chain.server import Server, said
from hermes.errors import ChainError, ChainLied, ChainUnreachable

_CLIENT = ("hermes-v2", ("1.4", "1.4.3"))
_REMEDY = "check chain.backend, and that the server runs"
_BROKEN = (
    anyio.EndOfStream,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    OSError,  # as TLS is when it meets nonsense
)


class ElectrumFailed(Exception):
    """The server's answer to one call is an error."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = said(words)


class _Late(ChainUnreachable):
    """The server is there, and silent."""


class _Message(msgspec.Struct, frozen=True):
    id: int | None = None
    method: str = ""
    result: Any = None
    error: Any = None


class _Pending(msgspec.Struct):
    done: anyio.Event
    message: _Message | None = None


class _Link:
    """One connection: what was asked on it, and why it ended."""

    def __init__(self, wire: Wire, name: str, heard: Callable[[], None]) -> None:
        self.wire = wire
        self.name = name
        self.pending: dict[int, _Pending] = {}
        self.ended: ChainError | None = None
        self.scope = anyio.CancelScope()
        self._heard = heard

    async def read(self) -> None:
        """Hand out what comes until the connection ends."""
        with self.scope:
            try:
                while True:
                    self._take(await self.wire.receive())
            except ChainError as error:
                self.ended = error
            except _BROKEN:
                self.ended = ChainUnreachable(f"{self.name} hung up", _REMEDY)
            finally:
                self._end()

    def _end(self) -> None:
        if self.ended is None:
            self.ended = ChainUnreachable(f"{self.name} did not answer in time", _REMEDY)
        self._heard()
        for one in self.pending.values():
            one.done.set()

    def _take(self, raw: bytes) -> None:
        try:
            message = msgspec.json.decode(raw, type=_Message)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise ChainLied(f"{self.name} sends no JSON-RPC") from error
        if message.method:
            self._heard()
        elif message.id in self.pending:
            pending = self.pending.pop(message.id)
            pending.message = message
            pending.done.set()


class ElectrumSession(AsyncContextManagerMixin):
    """Calls one server; owns the connection and the task that reads it."""

    def __init__(self, server: Server, limits: Limits) -> None:
        self._server = server
        self._limits = limits
        self._numbers = itertools.count(1)
        self._dialling = anyio.Lock()
        self._link: _Link | None = None
        self._tasks: anyio.abc.TaskGroup | None = None
        self._stir = anyio.Event()
        self.heard = 0
        """How often the server called by itself, or a connection ended."""

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        """Nothing is dialled before the first call."""
        failed: Exception | None = None
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                yield self
            except Exception as error:  # noqa: BLE001 - goes on below, not as a group
                failed = error
            finally:
                self._tasks = None
                tasks.cancel_scope.cancel()
        if failed is not None:
            raise failed

    async def call(self, method: str, *params: Any) -> Any:  # noqa: ANN401 - JSON
        """One call; raises ElectrumFailed for the server's own errors, and ChainError."""
        (found,) = await self.batch(method, [params])
        if isinstance(found, ElectrumFailed):
            raise found
        return found

    async def batch(self, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        """The same call with several parameters at once; results or ElectrumFailed, in order."""
        for pause in self._limits.pauses_s:
            try:
                return await self._once(method, params)
            except _Late:
                raise  # a server that is slow is not asked twice
            except ChainUnreachable:
                await anyio.sleep(pause)
        return await self._once(method, params)

    async def news(self, since: int, timeout_s: float) -> None:
        """Wait until `heard` is another number than `since`, at most so many seconds."""
        with anyio.move_on_after(timeout_s):
            while self.heard == since:
                await self._stir.wait()

    def _hear(self) -> None:
        self.heard += 1
        self._stir.set()
        self._stir = anyio.Event()

    async def _once(self, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        with anyio.move_on_after(self._limits.answer_s):
            link = await self._linked()
            return await _exchange(link, dict(zip(self._numbers, params, strict=False)), method)
        if self._link is not None:
            self._link.scope.cancel()  # a late answer is of no use, and who was silent may stay so
            self._link = None
        raise _Late(f"{self._server.shown} did not answer in {self._limits.answer_s:g} s", _REMEDY)

    async def _linked(self) -> _Link:
        async with self._dialling:
            if self._link is not None and self._link.ended is None:
                return self._link
            assert self._tasks is not None, "the backend is not open"
            link: _Link = await self._tasks.start(self._hold)
            try:
                (told,) = await _exchange(link, {0: _CLIENT}, "server.version")
            except BaseException:
                link.scope.cancel()
                raise
            if isinstance(told, ElectrumFailed):
                link.scope.cancel()
                raise ChainUnreachable(f"{link.name} turns us away: {told.words}", _REMEDY)
            self._link = link
            return link

    async def _hold(self, *, task_status: anyio.abc.TaskStatus[_Link]) -> None:
        """Keep one connection until it ends."""
        async with AsyncExitStack() as stack:
            wire = await dial(self._server, self._limits.most, stack)
            link = _Link(wire, self._server.shown, self._hear)
            task_status.started(link)
            await link.read()


async def _exchange(link: _Link, asked: Mapping[int, Sequence[Any]], method: str) -> list[Any]:
    waiting = {number: _Pending(anyio.Event()) for number in asked}
    link.pending |= waiting
    try:
        if link.ended is not None:
            raise link.ended
        for number, params in asked.items():
            body = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            await link.wire.send(msgspec.json.encode(body))
        for pending in waiting.values():
            await pending.done.wait()
    except _BROKEN as error:
        raise ChainUnreachable(f"{link.name} hung up", _REMEDY) from error
    finally:
        for number in asked:
            link.pending.pop(number, None)
    return [_result(pending.message, link) for pending in waiting.values()]


def _result(message: _Message | None, link: _Link) -> Any:  # noqa: ANN401 - JSON
    if message is None:
        assert link.ended is not None
        raise link.ended
    if message.error is None:
        return message.result
    words = message.error.get("message", "") if isinstance(message.error, dict) else message.error
    return ElectrumFailed(str(words))
