"""HTTP to one chain server: bounded answers, a time limit for each question, careful retries.

With `connect` the one place of this room that knows httpcore2; its errors become ours and carry
no credentials. A redirect is not followed: it could lead where nobody configured.
"""

import base64
import ssl
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Literal, Self

import anyio
import anyio.to_thread
import httpcore2
import msgspec
from anyio import AsyncContextManagerMixin

from hermes.chain.server import Server, said
from hermes.errors import ChainLied, ChainUnreachable

_CONNECTIONS = 4
_IDLE_S = 20.0
_MOST = 32 * 1024 * 1024
_REDIRECT, _REFUSED = 300, 400
_REMEDY = "check chain.backend, and that the server runs"


class Limits(msgspec.Struct, frozen=True):
    """How long to wait, how much to read, and the pauses before another try."""

    answer_s: float = 30.0
    most: int = _MOST
    pauses_s: Sequence[float] = (0.1, 0.5)


class Answer(msgspec.Struct, frozen=True):
    """A server's answer; the status may be a refusal."""

    status: int
    body: bytes

    @property
    def good(self) -> bool:
        """Whether the status says so."""
        return self.status < _REDIRECT


class HttpDoor(AsyncContextManagerMixin):
    """Asks one server; owns the connections."""

    def __init__(self, server: Server, limits: Limits) -> None:
        self._server = server
        self._limits = limits
        scheme = "https" if server.transport == "https" else "http"
        self._url = httpcore2.URL(
            scheme=scheme.encode(),
            host=server.host.encode("idna"),
            port=server.port,
            target=b"/",
        )
        self._headers = [(b"host", server.authority.encode("idna")), (b"user-agent", b"hermes-v2")]
        if server.user or server.password:
            secret = base64.b64encode(f"{server.user}:{server.password}".encode())
            self._headers.append((b"authorization", b"Basic " + secret))
        self._pool: httpcore2.AsyncConnectionPool | None = None

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        """Open the pool; nothing is connected yet."""
        tls: ssl.SSLContext | None = None
        if self._server.transport == "https":  # reads the machine's certificates
            tls = await anyio.to_thread.run_sync(httpcore2.default_ssl_context)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls, max_connections=_CONNECTIONS, keepalive_expiry=_IDLE_S
        )
        try:
            yield self
        finally:
            pool, self._pool = self._pool, None
            with anyio.CancelScope(shield=True):
                await pool.aclose()

    async def ask(
        self, method: Literal["GET", "POST"], path: str, body: bytes = b"", wait_s: float = 0.0
    ) -> Answer:
        """Ask once, and again after a pause when the connection fails.

        Raises ChainUnreachable, or ChainLied for what is no HTTP or too much of it.
        """
        wait_s = wait_s or self._limits.answer_s
        for pause in (*self._limits.pauses_s, None):
            try:
                with _ours(self._server), anyio.move_on_after(wait_s):
                    return await self._exchange(method, path, body)
            except ChainUnreachable:
                if pause is None:
                    raise
                await anyio.sleep(pause)
            else:
                break  # a server that is slow is not asked twice
        raise ChainUnreachable(f"{self._server.shown} did not answer in {wait_s:g} s", _REMEDY)

    async def _exchange(self, method: str, path: str, body: bytes) -> Answer:
        assert self._pool is not None, "the backend is not open"
        length = [(b"content-length", str(len(body)).encode())] if method == "POST" else []
        kind = [(b"content-type", b"application/json")] if body else []
        request = httpcore2.Request(
            method,
            httpcore2.URL(
                scheme=self._url.scheme,
                host=self._url.host,
                port=self._url.port,
                target=(self._server.path + path).encode(),
            ),
            headers=[*self._headers, *kind, *length],
            content=body,
        )
        response = await self._pool.handle_async_request(request)
        try:
            data = bytearray()
            async for chunk in response.aiter_stream():
                data += chunk
                if len(data) > self._limits.most:
                    raise ChainLied(f"{self._server.shown} sends without end", _REMEDY)
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()
        if _REDIRECT <= response.status < _REFUSED:
            raise ChainLied(f"{self._server.shown} sends elsewhere ({response.status})", _REMEDY)
        return Answer(response.status, bytes(data))


@contextmanager
def _ours(server: Server) -> Iterator[None]:
    """Turn httpcore2's errors into ours; their own words could repeat a header."""
    try:
        yield
    except (httpcore2.TimeoutException, httpcore2.NetworkError, OSError) as error:
        raise ChainUnreachable(
            f"no answer from {server.shown} ({said(_reason(error))})", _REMEDY
        ) from None
    except httpcore2.RemoteProtocolError as error:
        words = str(error)
        if "disconnected" in words or "peer closed" in words:  # cut, as h11 words it
            raise ChainUnreachable(f"{server.shown} hung up", _REMEDY) from None
        raise ChainLied(f"{server.shown} does not speak HTTP", _REMEDY) from None
    except httpcore2.LocalProtocolError:
        raise ChainUnreachable(
            f"the request to {server.shown} cannot be sent: look for blanks in the password",
            _REMEDY,
        ) from None


def _reason(error: BaseException) -> str:
    """What the system said, which httpcore2 keeps behind its own words."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return str(error) or type(error).__name__
