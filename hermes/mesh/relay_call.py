"""One WebSocket handshake with a relay, to see that it is there and what time it has."""

import ssl
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
from anyio.abc import ByteStream
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, RejectConnection, Request
from wsproto.utilities import RemoteProtocolError

from hermes.errors import RelayRefused

_PIECE = 16_384
_MOST = 65_536
_PORTS = {"ws": 80, "wss": 443}


async def call(url: str) -> tuple[bool, str]:
    """Whether a relay takes connections, and its `Date` or ""; raises RelayRefused, OSError."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError) as error:
        raise RelayRefused(f"{url!r} is no address of a relay", "ws:// or wss://") from error
    if not host:
        raise RelayRefused(f"{url!r} names no host", "ws:// or wss://")
    tls = await anyio.to_thread.run_sync(_context) if parts.scheme == "wss" else None
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = WSConnection(ConnectionType.CLIENT)
    # httpx and its like do not speak WebSocket; the library of relays tells no headers.
    async with await _dial(host, port, tls) as stream:
        await stream.send(connection.send(Request(host=parts.netloc, target=target)))
        read = 0
        while read < _MOST:
            try:
                data = await stream.receive(_PIECE)
                connection.receive_data(data)
            except (anyio.EndOfStream, anyio.BrokenResourceError, RemoteProtocolError):
                return False, ""
            read += len(data)
            for event in connection.events():
                match event:
                    case AcceptConnection():
                        return True, _date(event.extra_headers)
                    case RejectConnection():
                        return False, _date(event.headers)
    return False, ""


async def _dial(host: str, port: int, tls: ssl.SSLContext | None) -> ByteStream:
    if tls is None:
        return await anyio.connect_tcp(host, port)
    return await anyio.connect_tcp(host, port, ssl_context=tls, tls_standard_compatible=False)


def _context() -> ssl.SSLContext:
    return ssl.create_default_context()


def _date(headers: object) -> str:
    pairs = headers if isinstance(headers, list) else []
    found = (value for name, value in pairs if name.lower() == b"date")
    return next((value.decode("latin-1") for value in found), "")
