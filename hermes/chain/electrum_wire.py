"""Messages to and from an Electrum server: JSON lines over TCP or TLS, or WebSocket messages.

Bounds each message; knows nothing of what they say. A TLS server that pins its certificate
(`?sha256=`) is checked by that alone, as Electrum servers sign for themselves.
"""

import hashlib
import hmac
import ssl
from contextlib import AsyncExitStack
from typing import Protocol

import anyio
import anyio.abc
import anyio.to_thread
from anyio.streams.tls import TLSAttribute
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import ProtocolError

from hermes.chain.server import Server, said
from hermes.errors import ChainLied, ChainUnreachable

_READ = 65_536
_NONSENSE = (CloseReason.PROTOCOL_ERROR, CloseReason.INVALID_FRAME_PAYLOAD_DATA)
_REMEDY = "check chain.backend, and that the server runs"


class Wire(Protocol):
    """A connection that carries whole messages; who dials closes."""

    async def send(self, message: bytes) -> None:
        """Send one message, without its end."""
        ...

    async def receive(self) -> bytes:
        """The next message; raises ChainUnreachable at the end, ChainLied on nonsense."""
        ...


class LineWire:
    """One JSON text a line."""

    def __init__(self, stream: anyio.abc.ByteStream, name: str, most: int) -> None:
        self._stream = stream
        self._name = name
        self._most = most
        self._turn = anyio.Lock()
        self._held = bytearray()
        self._seen = 0  # bytes of `_held` in which there is no end of line

    async def send(self, message: bytes) -> None:
        """Send one line."""
        async with self._turn:
            await self._stream.send(message + b"\n")

    async def receive(self) -> bytes:
        """The next line."""
        while (end := self._held.find(b"\n", self._seen)) < 0:
            self._seen = len(self._held)
            if self._seen > self._most:
                raise ChainLied(f"{self._name} sends without end", _REMEDY)
            self._held += await self._stream.receive(_READ)
        line = bytes(self._held[:end])
        del self._held[: end + 1]
        self._seen = 0
        return line


class WebSocketWire:
    """One JSON text a WebSocket message (wsproto)."""

    def __init__(self, stream: anyio.abc.ByteStream, name: str, most: int) -> None:
        self._stream = stream
        self._name = name
        self._most = most
        self._ws = WSConnection(ConnectionType.CLIENT)
        self._turn = anyio.Lock()
        self._messages: list[bytes] = []
        self._held = bytearray()
        self._open = False

    async def upgrade(self, host: str, target: str) -> None:
        """Make a WebSocket of a fresh connection."""
        await self._stream.send(self._ws.send(Request(host=host, target=target)))
        while not self._open:
            await self._read()

    async def send(self, message: bytes) -> None:
        """Send one text."""
        async with self._turn:
            await self._stream.send(self._ws.send(TextMessage(message.decode())))

    async def receive(self) -> bytes:
        """The next text."""
        while not self._messages:
            await self._read()
        return self._messages.pop(0)

    async def _read(self) -> None:
        data = await self._stream.receive(_READ)
        try:
            self._ws.receive_data(data)
            for event in self._ws.events():
                await self._take(event)
        except ProtocolError as error:
            raise ChainLied(f"{self._name} does not speak WebSocket", _REMEDY) from error

    async def _take(self, event: object) -> None:
        match event:
            case AcceptConnection():
                self._open = True
            case Ping():
                async with self._turn:
                    await self._stream.send(self._ws.send(event.response()))
            case TextMessage() | BytesMessage():
                self._piece(event)
            case RejectConnection():
                raise ChainUnreachable(
                    f"{self._name} refuses a WebSocket ({event.status_code})", _REMEDY
                )
            case CloseConnection(code=code) if code in _NONSENSE:  # wsproto's own verdict, too
                raise ChainLied(f"{self._name} does not speak WebSocket", _REMEDY)
            case CloseConnection():
                raise ChainUnreachable(f"{self._name} hung up", _REMEDY)
            case _:
                pass  # pongs, and the body of a refusal

    def _piece(self, event: TextMessage | BytesMessage) -> None:
        data = event.data
        self._held += data.encode() if isinstance(data, str) else bytes(data)
        if len(self._held) > self._most:
            raise ChainLied(f"{self._name} sends without end", _REMEDY)
        if event.message_finished:
            self._messages.append(bytes(self._held))
            self._held.clear()


async def dial(server: Server, most: int, stack: AsyncExitStack) -> Wire:
    """Connect; the stack closes the connection. Raises ChainUnreachable, ChainLied."""
    try:
        stream: anyio.abc.ByteStream = await _connect(server)
        stack.push_async_callback(anyio.aclose_forcefully, stream)
        if server.transport in ("tcp", "tls"):
            return LineWire(stream, server.shown, most)
        wire = WebSocketWire(stream, server.shown, most)
        await wire.upgrade(server.authority, server.path or "/")
    except (OSError, anyio.EndOfStream, anyio.BrokenResourceError) as error:
        reason = said(error) or type(error).__name__
        raise ChainUnreachable(f"no answer from {server.shown} ({reason})", _REMEDY) from None
    return wire


async def _connect(server: Server) -> anyio.abc.ByteStream:
    if server.transport not in ("tls", "wss"):
        return await anyio.connect_tcp(server.host, server.port)
    context = await anyio.to_thread.run_sync(_context, server.pin)
    stream = await anyio.connect_tcp(
        server.host, server.port, ssl_context=context, tls_hostname=server.host
    )
    if server.pin:
        shown = stream.extra(TLSAttribute.peer_certificate_binary) or b""  # noqa: S610 - anyio's, not Django's
        if not hmac.compare_digest(hashlib.sha256(shown).hexdigest(), server.pin):
            await anyio.aclose_forcefully(stream)
            raise ChainLied(
                f"{server.shown} shows another certificate than the pinned one",
                "make sure that it is the server you mean, then change ?sha256= in chain.backend",
            )
    return stream


def _context(pin: str) -> ssl.SSLContext:
    """Trust what the machine trusts, or with a pin nothing: the digest decides."""
    context = ssl.create_default_context()
    if pin:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
