"""Relays for tests: a real one in this process, and one before it that meddles with the traffic.

A meddler sees every message either way, as the JSON array it is, and says what goes on.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import msgspec
from anyio.abc import ByteStream, SocketStream
from nostr_sdk import LocalRelay, LocalRelayBuilder, RateLimit
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Message,
    Ping,
    Request,
    TextMessage,
)

from hermes.mesh.nostr_loop import loop_lent

Frame = list[Any]
Meddle = Callable[[str, Frame], list[Frame | str | None]]
"""Given "up" (to the relay) or "down" and a message: what goes on in its place, a text as it
is; None hangs up."""
_PIECE = 65_536


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
            relay.shutdown()


@asynccontextmanager
async def meddler(url: str, meddle: Meddle) -> AsyncGenerator[str]:
    """A relay before another; gives its address."""
    host, port = url.removeprefix("ws://").rstrip("/").rsplit(":", 1)

    async def serve(near: SocketStream) -> None:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            async with near, await anyio.connect_tcp(host, int(port)) as far:
                await _between(near, far, host, meddle)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        address = listener.extra(anyio.abc.SocketAttribute.local_port)
        yield f"ws://127.0.0.1:{address}"
        tasks.cancel_scope.cancel()


async def _between(near: ByteStream, far: ByteStream, host: str, meddle: Meddle) -> None:
    server, client = WSConnection(ConnectionType.SERVER), WSConnection(ConnectionType.CLIENT)
    await far.send(client.send(Request(host=host, target="/")))
    async with anyio.create_task_group() as tasks:

        async def pump(source: ByteStream, inlet: WSConnection, way: str) -> None:
            sink, outlet = (far, client) if way == "up" else (near, server)
            text = ""
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                while True:
                    inlet.receive_data(await source.receive(_PIECE))
                    for event in inlet.events():
                        match event:
                            case Request():
                                await source.send(inlet.send(AcceptConnection()))
                            case Ping():
                                await source.send(inlet.send(event.response()))
                            case TextMessage(data=data, message_finished=last):
                                text += data
                                if last:
                                    await _pass(
                                        meddle(way, msgspec.json.decode(text)), sink, outlet
                                    )
                                    text = ""
                            case CloseConnection():
                                raise anyio.EndOfStream
                            case _:
                                continue
            tasks.cancel_scope.cancel()

        tasks.start_soon(pump, near, server, "up")
        tasks.start_soon(pump, far, client, "down")


async def _pass(frames: list[Frame | str | None], sink: ByteStream, outlet: WSConnection) -> None:
    for frame in frames:
        if frame is None:
            raise anyio.EndOfStream
        text = frame if isinstance(frame, str) else msgspec.json.encode(frame).decode()
        await sink.send(outlet.send(Message(text)))
