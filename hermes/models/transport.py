"""HTTP to one model server: a pool of connections over TCP, TLS or a unix socket.

With `network` the one place that knows httpcore2; its errors become ours. Leaving an
exchange early closes its connection at once, which is how a generation is stopped.
"""

import math
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    aclosing,
    asynccontextmanager,
    contextmanager,
)
from typing import Literal, Self

import anyio
import anyio.to_thread
import httpcore2

from hermes.errors import (
    ModelError,
    ModelGarbled,
    ModelRefused,
    ModelTimedOut,
    ModelUnreachable,
)
from hermes.models.network import GatheringBackend
from hermes.models.refusal import plain, refusal
from hermes.models.server import Server, Timeouts
from hermes.models.sse import ANSWER_MOST

_IDLE_S = 4.0  # an unused connection is kept this long: many servers hang up after five
_CONNECTIONS = 32
_ERROR_MOST = 64 * 1024  # bytes of a refusal that are read
_DRAIN_S = 0.25
_OK, _REFUSED = 200, 400
_CUTS = ("disconnected", "peer closed")  # how httpcore2 and h11 word a connection that ended
_AGAIN = "try again; if it stays so, look at the server's log"
_KEY = "look for blanks or line breaks in the key (HERMES_V2_API_KEY)"
_ADDRESS = "check the model's address (--model URL#NAME)"


class Transport(AbstractAsyncContextManager["Transport"]):
    """Sends requests to one server; owns the connections."""

    def __init__(self, server: Server, timeouts: Timeouts) -> None:
        self._server = server
        self._timeouts = timeouts
        self._root = server.root
        self._pool: httpcore2.AsyncConnectionPool | None = None

    async def __aenter__(self) -> Self:
        """Open the pool; nothing is connected yet."""
        tls = None
        if self._server.secure:  # reads the machine's certificates
            tls = await anyio.to_thread.run_sync(httpcore2.default_ssl_context)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=_CONNECTIONS,
            keepalive_expiry=_IDLE_S,
            uds=self._server.uds or None,
            network_backend=GatheringBackend(),
        )
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Close every connection."""
        if self._pool is not None:
            with anyio.CancelScope(shield=True):
                await self._pool.aclose()
            self._pool = None

    @asynccontextmanager
    async def exchange(
        self, method: Literal["GET", "POST"], path: str, body: bytes = b"", wait_s: float = math.inf
    ) -> AsyncGenerator["Exchange"]:
        """Send a request and wait for the head of its answer.

        Raises ModelUnreachable, ModelTimedOut, or what a refusing answer means.
        """
        assert self._pool is not None, "the client is not open"
        deadline = anyio.current_time() + wait_s
        with _ours(self._server):
            with anyio.CancelScope(deadline=deadline) as scope:
                response = await self._pool.handle_async_request(self._request(method, path, body))
            if scope.cancelled_caught:
                raise ModelTimedOut(*_late(wait_s))
        try:
            async with aclosing(response.aiter_stream()) as chunks:
                exchange = Exchange(chunks, self._server)
                if response.status != _OK:
                    raise await _refused(response, exchange, deadline)
                yield exchange
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()

    async def fetch(
        self, method: Literal["GET", "POST"], path: str, body: bytes = b"", wait_s: float = math.inf
    ) -> bytes:
        """Send a request and return the whole body of its answer; raises ModelError."""
        deadline = anyio.current_time() + wait_s
        async with self.exchange(method, path, body, wait_s) as exchange:
            return await exchange.rest(deadline, ANSWER_MOST)

    def _request(self, method: str, path: str, body: bytes) -> httpcore2.Request:
        headers = {"accept": "text/event-stream, application/json", "user-agent": "hermes-v2"}
        if body:
            headers["content-type"] = "application/json"
        if self._server.api_key:
            headers["authorization"] = f"Bearer {self._server.api_key}"
        headers |= {name.lower(): value for name, value in self._server.headers}
        url = httpcore2.URL(self._root + path)
        headers = {"host": _host(url), "content-length": str(len(body))} | headers
        patience = {"connect": self._timeouts.connect_s, "write": self._timeouts.first_token_s}
        return httpcore2.Request(
            method,
            url,
            headers=[(k.encode("latin-1", "replace"), v.encode()) for k, v in headers.items()],
            content=body,
            extensions={"timeout": patience},
        )


class Exchange:
    """One answer whose body is being read."""

    def __init__(self, chunks: AsyncIterator[bytes], server: Server) -> None:
        self._chunks = chunks
        self._server = server

    async def read(self, deadline: float) -> bytes:
        """Return the next bytes, empty at the end; raises ModelTimedOut, ModelUnreachable."""
        with _ours(self._server), anyio.CancelScope(deadline=deadline):
            return await anext(self._chunks, b"")
        raise ModelTimedOut("the model's server fell silent", "try again, or use another model")

    async def rest(self, deadline: float, most: int) -> bytes:
        """Return all that comes; raises ModelGarbled where it is more than `most` bytes."""
        parts: list[bytes] = []
        while chunk := await self.read(deadline):
            parts.append(chunk)
            most -= len(chunk)
            if most < 0:
                raise ModelGarbled("the server's answer is too large")
        return b"".join(parts)

    async def drain(self) -> None:
        """Read the last bytes, so that the connection can be used again; never waits long."""
        with anyio.move_on_after(_DRAIN_S):
            for _ in range(8):
                if not await anext(self._chunks, b""):
                    return


async def _refused(response: httpcore2.Response, exchange: Exchange, deadline: float) -> ModelError:
    headers = {name.lower(): value for name, value in response.headers}
    if response.status < _REFUSED:
        where = plain(headers.get(b"location", b"").decode("latin-1"))
        said = f"the server answered {response.status} instead of a completion"
        return ModelGarbled(said, f"use its real address {where}" if where else "")
    body = bytearray()
    try:
        while len(body) < _ERROR_MOST and (chunk := await exchange.read(deadline)):
            body += chunk
    except (ModelUnreachable, ModelTimedOut):
        pass  # the status has said it already
    after = headers.get(b"retry-after", b"").decode("latin-1")
    return refusal(response.status, bytes(body[:_ERROR_MOST]), after)


@contextmanager
def _ours(server: Server) -> Iterator[None]:
    """Turn httpcore2's errors into ours."""
    try:
        yield
    except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
        raise ModelUnreachable(
            f"no model server answers at {server.uds or server.root}: {_reason(error)}",
            "start it, or check the address (--model URL#NAME)",
        ) from error
    except httpcore2.TimeoutException as error:
        raise ModelTimedOut(*_late(0.0)) from error
    except httpcore2.NetworkError as error:
        reason = type(error).__name__
        raise ModelUnreachable(f"the connection was cut ({reason})", _AGAIN) from error
    except httpcore2.RemoteProtocolError as error:
        reason = plain(str(error))
        if any(word in reason for word in _CUTS):
            raise ModelUnreachable(f"the connection was cut: {reason}", _AGAIN) from error
        raise ModelGarbled(f"the server does not speak HTTP: {reason}", _ADDRESS) from error
    except httpcore2.LocalProtocolError:
        # The library's words would repeat the header, and with it the key.
        raise ModelRefused(
            "the request cannot be sent: a header has an illegal value", _KEY
        ) from None


def _reason(error: BaseException) -> str:
    """Return what the system said, which httpcore2 keeps behind its own words."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return plain(str(error)) or type(error).__name__


def _late(wait_s: float) -> tuple[str, str]:
    waited = f" within {wait_s:g} s" if wait_s else " in time"
    return f"the model's server did not answer{waited}", "try again, or use another model"


def _host(url: httpcore2.URL) -> str:
    host = url.host.decode()
    host = f"[{host}]" if ":" in host else host
    default = {b"http": 80, b"https": 443}.get(url.scheme)
    return host if url.port in (None, default) else f"{host}:{url.port}"
