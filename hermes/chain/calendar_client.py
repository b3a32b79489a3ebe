"""Asks a calendar that the person named; nothing else here dials, least of all what a file says.

The answer is hostile: bounded in size and time, not followed elsewhere, checked by `stamps`.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import httpcore2

from hermes.chain.server import said
from hermes.chain.stamps import MOST_ANSWER
from hermes.errors import ChainUnreachable, Usage

_PATIENCE_S = 20.0
_OK = 200
_UNKNOWN = 404
_SAID = 160
_ACCEPT: dict[bytes | str, bytes | str] = {
    "accept": "application/vnd.opentimestamps.v1",
    "user-agent": "hermes-v2",
}
_FAILURES = (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError, OSError)


class CalendarClient:
    """Another node's calendar, or a public one; made by `open`."""

    def __init__(self, url: str, pool: httpcore2.AsyncConnectionPool) -> None:
        self.url = url
        self._pool = pool

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncGenerator["CalendarClient"]:
        """Make ready to ask; nothing is connected yet. Raises Usage on what is no address."""
        plain = url.rstrip("/")
        if not _is_address(plain):
            raise Usage(f"{url!r} is no calendar", "give its address: --calendar http://HOST:PORT")
        tls = None
        if plain.startswith("https://"):  # reads the machine's certificates
            tls = await anyio.to_thread.run_sync(httpcore2.default_ssl_context)
        async with httpcore2.AsyncConnectionPool(ssl_context=tls) as pool:
            yield cls(plain, pool)

    async def add(self, digest: bytes) -> bytes:
        """Have a digest anchored; its promise. Raises ChainUnreachable."""
        status, body = await self._ask("POST", "/digest", digest)
        if status != _OK:
            raise ChainUnreachable(
                f"{self.url} refused ({status}): {said(body[:_SAID].decode('ascii', 'replace'))}"
            )
        return body

    async def find(self, commitment: bytes) -> bytes | None:
        """What became of a commitment; None while it waits. Raises ChainUnreachable."""
        status, body = await self._ask("GET", f"/timestamp/{commitment.hex()}")
        if status == _UNKNOWN:
            return None
        if status != _OK:
            raise ChainUnreachable(
                f"{self.url} refused ({status}): {said(body[:_SAID].decode('ascii', 'replace'))}"
            )
        return body

    async def _ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        try:
            with anyio.fail_after(_PATIENCE_S):
                return await self._fetch(method, path, body)
        except TimeoutError as error:
            raise ChainUnreachable(f"{self.url} took longer than {_PATIENCE_S:g} s") from error
        except _FAILURES as error:
            raise ChainUnreachable(
                f"{self.url} does not answer: {said(error) or type(error).__name__}",
                "check the calendar's address, and that it runs",
            ) from error

    async def _fetch(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        data = bytearray()
        url = self.url + path
        async with self._pool.stream(method, url, headers=_ACCEPT, content=body or None) as answer:
            async for chunk in answer.aiter_stream():
                data += chunk
                if len(data) > MOST_ANSWER:
                    raise ChainUnreachable(f"{self.url} answers with more than any timestamp")
            return answer.status, bytes(data)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        whole = parts.port is None or parts.port > 0  # a port that is no number raises here
    except ValueError:
        return False
    odd = parts.query or parts.fragment or parts.username or " " in url
    return whole and parts.scheme in {"http", "https"} and bool(parts.hostname) and not odd
