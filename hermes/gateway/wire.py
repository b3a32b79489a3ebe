"""Newline-delimited JSON-RPC 2.0 over any byte stream: one line, one message.

The same bytes go over the owner's unix socket and over memory streams in one process.
"""

import json
import math

import anyio
import anyio.lowlevel
import msgspec
from anyio.abc import ByteStream, ObjectStream, SocketAttribute
from anyio.streams.stapled import StapledObjectStream

from hermes.core.event import Json
from hermes.errors import DoorError, OwnerGone

LINE_MOST = 64 * 1024 * 1024
"""Bytes of one message; a longer line ends the connection."""


class Wire:
    """One side of a connection: sends and receives whole messages."""

    def __init__(self, lines: ObjectStream[bytes]) -> None:
        self._lines = lines
        self._sending = anyio.Lock()

    async def send(self, message: dict[str, Json]) -> None:
        """Send a message; raises OwnerGone when the other side is away."""
        try:
            data = msgspec.json.encode(message)
        except UnicodeEncodeError:  # lone surrogates, as of an argument that is no UTF-8
            data = json.dumps(message, ensure_ascii=False).encode(errors="replace")
        try:
            async with self._sending:
                await self._lines.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise OwnerGone("the connection is closed") from error

    async def note(self, method: str, params: dict[str, Json]) -> None:
        """Send a notification, which has no answer; raises OwnerGone."""
        await self.send({"jsonrpc": "2.0", "method": method, "params": params})

    async def receive(self) -> dict[str, Json]:
        """Receive a message; raises OwnerGone at the end, DoorError on what is none."""
        try:
            data = await self._lines.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise OwnerGone("the connection is closed") from error
        try:
            message = msgspec.json.decode(data)
        except (msgspec.DecodeError, RecursionError) as error:
            raise DoorError(f"not JSON: {error}") from error
        if not isinstance(message, dict):
            raise DoorError("not a JSON-RPC message")
        return message

    async def aclose(self) -> None:
        """Close both directions, at once."""
        with anyio.CancelScope(shield=True):
            await self._lines.aclose()


class Lines(ObjectStream[bytes]):
    """Lines of a byte stream, without their newlines."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._socket = stream.extra(SocketAttribute.raw_socket, None)  # noqa: S610 - no Django
        self._buffer = bytearray()
        self._seen = 0

    async def receive(self) -> bytes:
        """Receive one line; raises EndOfStream, or DoorError when it is too long."""
        while (end := self._buffer.find(b"\n", self._seen)) < 0:
            self._seen = len(self._buffer)
            if self._seen > LINE_MOST:
                raise DoorError(f"a message of more than {LINE_MOST} bytes")
            self._buffer += await self._more()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._seen = 0
        return line

    async def _more(self) -> bytes:
        if self._socket is not None:
            # A receive that is cancelled just as data come breaks in anyio's own callback;
            # this wait does not.
            if self._socket.fileno() < 0:
                raise anyio.ClosedResourceError
            await anyio.wait_readable(self._socket)
        return await self._stream.receive()

    async def send(self, item: bytes) -> None:
        """Send one line; a line that was cut off ends the connection: nothing may follow it."""
        await anyio.lowlevel.checkpoint()
        try:
            await self._stream.send(item + b"\n")
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await self.aclose()
            raise

    async def send_eof(self) -> None:
        """Say that no more comes."""
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close the byte stream."""
        if self._socket is not None and self._socket.fileno() >= 0:
            anyio.notify_closing(self._socket)
        await self._stream.aclose()


def memory_wires() -> tuple[Wire, Wire]:
    """Two ends of a connection inside one process."""
    a_send, b_receive = anyio.create_memory_object_stream[bytes](math.inf)
    b_send, a_receive = anyio.create_memory_object_stream[bytes](math.inf)
    return (
        Wire(StapledObjectStream(a_send, a_receive)),
        Wire(StapledObjectStream(b_send, b_receive)),
    )
