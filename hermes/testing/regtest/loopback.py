"""A small HTTP server on loopback, for stand-ins of chain servers: a function answers requests."""

import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.abc
import h11
import msgspec

_READ = 65_536
_MOST = 64 * 1024 * 1024
_OK = 200
_TOO_MUCH = 413


class Asked(msgspec.Struct, frozen=True):
    """One request; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Reply(msgspec.Struct, frozen=True):
    """What is sent back."""

    body: bytes = b""
    status: int = _OK
    kind: str = "application/json"


Answer = Callable[[Asked], Awaitable[Reply]]


@asynccontextmanager
async def serve(answer: Answer, port: int = 0) -> AsyncGenerator[int]:
    """Serve until the block ends; yields the port (0: any free one)."""
    door = socket.create_server(("127.0.0.1", port))  # anyio's own would look the name up
    number: int = door.getsockname()[1]
    listener = await anyio.abc.SocketListener.from_socket(door)

    async def connection(stream: anyio.abc.ByteStream) -> None:
        async with stream:
            try:
                await _converse(stream, answer)
            except (anyio.BrokenResourceError, anyio.EndOfStream, h11.ProtocolError):
                return  # the client went away, or talks something else

    failed: Exception | None = None
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, connection)
        try:
            yield number
        except Exception as error:  # noqa: BLE001 - goes on below, not as a group
            failed = error
        tasks.cancel_scope.cancel()
    if failed is not None:
        raise failed


async def _converse(stream: anyio.abc.ByteStream, answer: Answer) -> None:
    http = h11.Connection(h11.SERVER)
    while (asked := await _receive(http, stream)) is not None:
        reply = Reply(status=_TOO_MUCH) if len(asked.body) > _MOST else await answer(asked)
        headers = [("content-type", reply.kind), ("content-length", str(len(reply.body)))]
        parts = (
            http.send(h11.Response(status_code=reply.status, headers=headers)),
            http.send(h11.Data(data=reply.body)),
            http.send(h11.EndOfMessage()),
        )
        await stream.send(b"".join(part or b"" for part in parts))
        if h11.MUST_CLOSE in (http.our_state, http.their_state):
            return
        http.start_next_cycle()


async def _receive(http: h11.Connection, stream: anyio.abc.ByteStream) -> Asked | None:
    request: h11.Request | None = None
    body = bytearray()
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            if http.they_are_waiting_for_100_continue:
                go = h11.InformationalResponse(status_code=100, headers=[])
                await stream.send(http.send(go) or b"")
            try:
                http.receive_data(await stream.receive(_READ))
            except anyio.EndOfStream:
                http.receive_data(b"")
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            if len(body) <= _MOST:
                body += event.data
        elif isinstance(event, h11.EndOfMessage) and request is not None:
            headers = {name.decode(): value.decode("latin-1") for name, value in request.headers}
            target = request.target.decode("latin-1")
            return Asked(request.method.decode(), target, headers, bytes(body))
        else:
            return None
