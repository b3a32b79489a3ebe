"""Asks another node's blob endpoint; it dials the address it was given and follows none elsewhere.

The answer is hostile: bounded in size and time, and every chunk is checked against its name before
anybody sees it. What came of a chunk before the line broke is kept, and the rest asked for.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import httpcore2

from hermes.core.clock import Clock
from hermes.errors import BlobRefused, BlobUnreachable, Usage
from hermes.identity.hot import HotKey
from hermes.mesh.blob_seal import MOST_CHUNK, digest_of
from hermes.mesh.blob_warrant import Verb, write_warrant

_OK, _PART, _BAD_RANGE, _UNKNOWN = 200, 206, 416, 404
_MOST_SAID = 200
_FIRST_PAUSE_S = 0.1
_LONGEST_S = 300.0
"""For one chunk with all its tries: who feeds us a byte now and then is given up."""
_FAILURES = (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError, OSError)
_REASONS = {401: "not authorised", 403: "stranger", 404: "unknown", 413: "too large", 507: "full"}


class _Answer(NamedTuple):
    status: int
    headers: dict[bytes, bytes]
    said: str


class BlobClient:
    """One endpoint, asked with one key; made by `open`."""

    def __init__(
        self, url: str, key: HotKey, clock: Clock, pool: httpcore2.AsyncConnectionPool, tries: int
    ) -> None:
        self.url, self._tries = url, tries
        self._server = urlsplit(url).netloc.lower()
        self._key, self._clock, self._pool = key, clock, pool

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str, key: HotKey, clock: Clock, tries: int = 6
    ) -> AsyncGenerator["BlobClient"]:
        """Make ready to ask; nothing is connected yet. Raises Usage on what is no address.

        `tries` without any progress, with longer and longer pauses between, are the end.
        """
        plain = url.rstrip("/")
        if not _is_address(plain):
            raise Usage(f"{url!r} is no blob endpoint", "give its address: http://HOST:PORT")
        tls = None
        if plain.startswith("https://"):  # reads the machine's certificates
            tls = await anyio.to_thread.run_sync(httpcore2.default_ssl_context)
        async with httpcore2.AsyncConnectionPool(ssl_context=tls, max_connections=4) as pool:
            yield cls(plain, key, clock, pool, tries)

    async def has(self, digest: str) -> bool:
        """Whether the chunk is there. Raises BlobUnreachable, BlobRefused."""
        answer = await self._patiently("HEAD", digest)
        if answer.status != _UNKNOWN:
            self._check(answer)
        return answer.status == _OK

    async def put(self, digest: str, data: bytes) -> None:
        """Leave a chunk there, unless it is there; raises BlobUnreachable, BlobRefused."""
        if not await self.has(digest):
            self._check(await self._patiently("PUT", digest, data))

    async def remove(self, digest: str) -> None:
        """Take back a chunk that was left there; none is as good."""
        answer = await self._patiently("DELETE", digest)
        if answer.status != _UNKNOWN:
            self._check(answer)

    async def get(self, digest: str) -> bytes:
        """A chunk, whole and checked; raises BlobUnreachable, BlobRefused.

        A line that breaks costs what was on its way: the rest is asked for by Range, as long as
        each try brings something.
        """
        with anyio.move_on_after(_LONGEST_S):
            return await self._got(digest)
        raise BlobUnreachable(f"{self.url} gave no chunk whole in {_LONGEST_S:g} s")

    async def _got(self, digest: str) -> bytes:
        held = bytearray()
        pause, left = _FIRST_PAUSE_S, self._tries
        while True:
            before = len(held)
            failure = await self._more(digest, held)
            if failure is None:
                return await self._judged(digest, bytes(held))
            pause, left = (pause, self._tries) if len(held) > before else (pause * 2, left - 1)
            if not left:
                raise BlobUnreachable(f"{self.url} breaks off: {failure}")
            await anyio.sleep(pause)

    async def _judged(self, digest: str, data: bytes) -> bytes:
        if await anyio.to_thread.run_sync(digest_of, data) != digest:
            raise BlobRefused("wrong digest", f"{self.url} gives other bytes for {digest[:12]}…")
        return data

    async def _more(self, digest: str, held: bytearray) -> str | None:
        """Add what comes to `held`; None once all is there, else why it is not."""
        headers = {"range": f"bytes={len(held)}-"} if held else {}
        try:
            answer, whole = await self._fetch("GET", digest, headers, held)
        except _FAILURES as error:
            return _text(error)
        if answer.status == _BAD_RANGE:
            held.clear()  # it has another, shorter thing there: its digest will tell
            return "it no longer has what it had"
        self._check(answer)
        return None if whole else "less came than it said"

    async def _fetch(
        self, method: str, digest: str, headers: dict[str, str], held: bytearray
    ) -> tuple[_Answer, bool]:
        async with self._asked(method, digest, headers) as response:
            answer = _Answer(response.status, dict(response.headers), "")
            if answer.status not in {_OK, _PART}:
                return await _read_reason(response, answer), False
            if answer.status == _OK:
                held.clear()
            elif _start(answer) != len(held):
                raise BlobRefused("bad range", f"{self.url} answers another range than was asked")
            async for piece in response.aiter_stream():
                held += piece
                if len(held) > MOST_CHUNK:
                    raise BlobRefused("too large", f"{self.url} gives more than any chunk has")
        return answer, True

    async def _patiently(self, method: str, digest: str, data: bytes = b"") -> _Answer:
        with anyio.move_on_after(_LONGEST_S):
            return await self._tried(method, digest, data)
        raise BlobUnreachable(f"{self.url} did not answer in {_LONGEST_S:g} s")

    async def _tried(self, method: str, digest: str, data: bytes) -> _Answer:
        pause = _FIRST_PAUSE_S
        for left in reversed(range(self._tries)):
            try:
                headers = {"x-sha-256": digest} if method == "PUT" else {}
                async with self._asked(method, digest, headers, data) as response:
                    answer = _Answer(response.status, dict(response.headers), "")
                    return await _read_reason(response, answer)
            except _FAILURES as error:
                if not left:
                    raise BlobUnreachable(
                        f"{self.url} does not answer: {_text(error)}",
                        "check the endpoint's address, and that its node runs",
                    ) from error
            await anyio.sleep(pause)
            pause *= 2
        raise AssertionError

    @asynccontextmanager
    async def _asked(
        self, method: str, digest: str, headers: dict[str, str], data: bytes = b""
    ) -> AsyncGenerator[httpcore2.Response]:
        verb: Verb = _VERBS[method]
        moment = self._clock.now_ms()
        headers["authorization"] = write_warrant(self._key, verb, digest, self._server, moment)
        path = "/upload" if method == "PUT" else f"/{digest}"
        given: dict[bytes | str, bytes | str] = dict(headers.items())
        async with self._pool.stream(
            method,
            self.url + path,
            headers=given,
            content=data or None,
            extensions={"timeout": _TIMEOUTS},
        ) as response:
            yield response

    def _check(self, answer: _Answer) -> None:
        if answer.status in {_OK, _PART}:
            return
        text = f"{self.url} refused ({answer.status}): {answer.said}"
        if answer.status in _REASONS:
            raise BlobRefused(_REASONS[answer.status], text)
        raise BlobUnreachable(text)


_VERBS: dict[str, Verb] = {"GET": "get", "HEAD": "get", "PUT": "upload", "DELETE": "delete"}
_TIMEOUTS = {"connect": 5.0, "read": 15.0, "write": 15.0, "pool": 60.0}


async def _read_reason(response: httpcore2.Response, answer: _Answer) -> _Answer:
    """The answer with what it says, which is short or cut: one printable line."""
    said = bytearray()
    async for piece in response.aiter_stream():
        said += piece
        if len(said) > _MOST_SAID:
            break
    said = said or bytearray(answer.headers.get(b"x-reason", b""))  # a HEAD has no body
    text = said[:_MOST_SAID].decode("utf-8", "replace")
    return answer._replace(said="".join(one if one.isprintable() else " " for one in text).strip())


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__


def _start(answer: _Answer) -> int:
    """Where the part begins that came; -1 where it does not say."""
    found = answer.headers.get(b"content-range", answer.headers.get(b"Content-Range", b""))
    first = found.removeprefix(b"bytes ").partition(b"-")[0]
    return int(first) if first.isdigit() else -1


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        whole = parts.port is None or parts.port > 0  # a port that is no number raises here
    except ValueError:
        return False
    odd = parts.query or parts.fragment or parts.username or parts.path or " " in url
    return whole and parts.scheme in {"http", "https"} and bool(parts.hostname) and not odd
