"""Relays for tests: a real one in this process, and one before it that meddles with the traffic.

A meddler sees every message either way, as the JSON array it is, and says what goes on.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, NamedTuple

import anyio
import msgspec
from anyio import CancelScope
from anyio.abc import ByteStream, SocketAttribute, SocketStream
from nostr_sdk import LocalRelay, LocalRelayBuilder, RateLimit
from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Event,
    Message,
    Ping,
    Request,
    TextMessage,
)

from hermes.mesh.nostr_loop import loop_lent, shut_down

Frame = list[Any]
Meddle = Callable[[str, Frame], list[Frame | str | float | None]]
"""Given "up" (to the relay) or "down" and a message: what goes on in its place, a text as it
is; a number waits so many seconds, None hangs up."""
Connect = Callable[[Callable[[], None]], Meddle]
"""Given how to hang up on a caller: who meddles with what he says and hears."""
_PIECE = 65_536


class _End(NamedTuple):
    """One side of a meddler; both directions may want to write to it."""

    stream: ByteStream
    wire: WSConnection
    lock: anyio.Lock

    async def send(self, event: Event) -> None:
        async with self.lock:
            if self.wire.state is not ConnectionState.OPEN:  # nobody hears it any more
                raise anyio.BrokenResourceError
            await self.stream.send(self.wire.send(event))


@asynccontextmanager
async def local_relay(port: int | None = None) -> AsyncGenerator[str]:
    """A relay that forgets everything; gives its address."""
    async with loop_lent():
        limit = RateLimit(max_reqs=2_000, notes_per_minute=1_000_000)
        builder = LocalRelayBuilder().addr("127.0.0.1").rate_limit(limit).max_filter_limit(5_000)
        relay: LocalRelay = (builder if port is None else builder.port(port)).build()
        await relay.run()
        try:
            yield str(await relay.url())
        finally:
            with anyio.CancelScope(shield=True):
                await shut_down(relay)


@asynccontextmanager
async def meddler(url: str, meddle: Meddle) -> AsyncGenerator[str]:
    """A relay before another; gives its address."""
    async with switchboard(url, lambda _hang_up: meddle) as address:
        yield address


@asynccontextmanager
async def switchboard(url: str, connect: Connect, port: int = 0) -> AsyncGenerator[str]:
    """A relay before another where each caller has a meddler of his own; gives its address."""
    host, far_port = url.removeprefix("ws://").rstrip("/").rsplit(":", 1)

    async def serve(near: SocketStream) -> None:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            async with near, await anyio.connect_tcp(host, int(far_port)) as far:
                with CancelScope() as scope:
                    await _between(near, far, host, connect(scope.cancel))

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        address = listener.extra(SocketAttribute.local_port)  # noqa: S610 - no SQL
        yield f"ws://127.0.0.1:{address}"
        tasks.cancel_scope.cancel()


async def _between(near: ByteStream, far: ByteStream, host: str, meddle: Meddle) -> None:
    server, client = WSConnection(ConnectionType.SERVER), WSConnection(ConnectionType.CLIENT)
    await far.send(client.send(Request(host=host, target="/")))
    await _opened(far, client)
    server.receive_data(await near.receive(_PIECE))
    if [type(event) for event in server.events()] == [Request]:
        await near.send(server.send(AcceptConnection()))
        async with anyio.create_task_group() as tasks:
            one, other = _End(near, server, anyio.Lock()), _End(far, client, anyio.Lock())
            for way, source, sink in (("up", one, other), ("down", other, one)):
                tasks.start_soon(_pump, source, sink, partial(meddle, way), tasks.cancel_scope)


async def _opened(far: ByteStream, client: WSConnection) -> None:
    while True:
        client.receive_data(await far.receive(_PIECE))
        if any(isinstance(event, AcceptConnection) for event in client.events()):
            return


async def _pump(
    source: _End,
    sink: _End,
    meddle: Callable[[Frame], list[Frame | str | float | None]],
    end: CancelScope,
) -> None:
    text = ""
    with suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
        while True:
            source.wire.receive_data(await source.stream.receive(_PIECE))
            for event in source.wire.events():
                match event:
                    case Ping():
                        await source.send(event.response())
                    case TextMessage():
                        text += event.data
                        if event.message_finished:
                            await _pass(meddle(msgspec.json.decode(text)), sink)
                            text = ""
                    case CloseConnection():
                        raise anyio.EndOfStream
    end.cancel()


async def _pass(frames: list[Frame | str | float | None], sink: _End) -> None:
    for frame in frames:
        if frame is None:
            raise anyio.EndOfStream
        if isinstance(frame, float):
            await anyio.sleep(frame)
            continue
        text = frame if isinstance(frame, str) else msgspec.json.encode(frame).decode()
        await sink.send(Message(text))
