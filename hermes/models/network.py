"""Connections that send a request in one piece, and notice that they were closed meanwhile.

httpcore2 writes head and body apart, and each write wakes the server: what is written waits
here until it is read on. llama.cpp promises to keep a connection after a streamed answer, and
closes it a moment later: a request that meets this goes out again on a new connection.
"""

import select
import ssl
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import httpcore2

_MOST = 64 * 1024  # bytes that wait; a larger body goes out as it is
_SocketOptions = Iterable[httpcore2.SOCKET_OPTION] | None


class GatheredStream(httpcore2.AsyncNetworkStream):
    """One connection; what was written leaves with the next read."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream
        self._socket: Any = None
        self._held = bytearray()
        self._timeout: float | None = None
        self._asking = False  # a request is on its way, nothing of its answer was read
        self._kept = False  # an answer came on it: the server may have closed it since

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore2's signature
        """Send what waits, then read; raises ConnectionNotAvailable when it was closed before."""
        asking, self._asking = self._asking, False
        if asking and self._kept:
            return await self._first(max_bytes, timeout)
        with suppress(httpcore2.WriteError):  # the server closed early: its answer says why
            await self._flush()
        data = await self._stream.read(max_bytes, timeout)
        self._kept = True
        return data

    async def _first(self, max_bytes: int, timeout: float | None) -> bytes:  # noqa: ASYNC109 - passed on
        try:
            await self._flush()
            data = await self._stream.read(max_bytes, timeout)
        except (httpcore2.WriteError, httpcore2.ReadError):
            data = b""
        if not data:
            raise httpcore2.ConnectionNotAvailable
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore2's signature
        """Keep the bytes for the next read."""
        self._asking = True
        self._held += buffer
        self._timeout = timeout
        if len(self._held) > _MOST:
            await self._flush()

    async def aclose(self) -> None:
        """Close the connection; what waits was never asked."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore2's signature
    ) -> httpcore2.AsyncNetworkStream:
        """Go on encrypted."""
        inner = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        return GatheredStream(inner)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - httpcore2's signature
        """What is known of the connection."""
        if info == "is_readable":  # asked for before each request; anyio's way costs five calls
            return self._readable()
        return self._stream.get_extra_info(info)

    def _readable(self) -> bool:
        """Whether bytes or its end wait: a connection that nobody asked is then no good."""
        if self._socket is None:
            self._socket = self._stream.get_extra_info("socket")
        number = self._socket.fileno() if self._socket is not None else -1
        if number < 0:
            return True
        waits = select.poll()
        waits.register(number, select.POLLIN)
        return bool(waits.poll(0))

    async def _flush(self) -> None:
        if self._held:
            held, self._held = bytes(self._held), bytearray()
            await self._stream.write(held, self._timeout)


class GatheringBackend(httpcore2.AsyncNetworkBackend):
    """anyio's connections, each writing in whole pieces."""

    def __init__(self) -> None:
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore2's signature
        local_address: str | None = None,
        socket_options: _SocketOptions = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect over TCP."""
        return GatheredStream(
            await self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        )

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore2's signature
        socket_options: _SocketOptions = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to a unix socket."""
        return GatheredStream(await self._inner.connect_unix_socket(path, timeout, socket_options))

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._inner.sleep(seconds)
