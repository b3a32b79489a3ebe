"""The blob endpoint: GET and HEAD /<sha256>, PUT /upload, DELETE /<sha256>, for admitted keys.

Shaped like Blossom (BUD-01, BUD-02, BUD-06). Strangers get nothing, not even whether a chunk is
here. It does not encrypt the line: chunks are sealed, but who asks for which can be seen.
"""

import re
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager

import anyio
import h11
import msgspec
from anyio.abc import SocketAttribute, SocketStream

from hermes.chain.listening import Door
from hermes.core.clock import Clock
from hermes.core.rate import Rate
from hermes.errors import BlobRefused, HermesError
from hermes.mesh.blob_exchange import Exchange, range_of
from hermes.mesh.blob_seal import MOST_CHUNK
from hermes.mesh.blob_warrant import Gate, Verb
from hermes.store.blob_chunks import Chunks

_STATUS = {
    "no authorisation": 401,
    "malformed": 401,
    "forged": 401,
    "other use": 401,
    "other server": 401,
    "early": 401,
    "expired": 401,
    "replayed": 401,
    "stranger": 403,
    "unknown": 404,
    "no such thing": 404,
    "no length": 411,
    "too large": 413,
    "bad range": 416,
    "cut off": 400,
    "wrong digest": 400,
    "busy": 429,
    "over quota": 507,
    "disk full": 507,
}
_PATH = re.compile(r"/([0-9a-f]{64})(?:\.[A-Za-z0-9]{1,8})?")
_HEX = re.compile(r"[0-9a-f]{64}")
_BINARY = "application/octet-stream"


class Limits(msgspec.Struct, frozen=True):
    """What may be asked of the endpoint."""

    connections: int = 64
    """Connections at one time; more are closed at once."""
    each: int = 32
    """Of one address at one time."""
    head_s: float = 10.0
    """Seconds for the head of a request, and for the silence before it."""
    slowest: int = 16 << 10
    """Bytes a second that a body has to move at least, either way."""
    per_second: float = 500.0
    """Requests of one address a second, in the long run."""
    burst: int = 5_000
    """Requests of one address at once."""


class Endpoint:
    """Answers requests on connections; `refused` counts why somebody was turned away."""

    def __init__(
        self,
        chunks: Chunks,
        gate: Gate,
        clock: Clock,
        report: Callable[[str, BaseException], None],
        limits: Limits | None = None,
    ) -> None:
        self.refused: Counter[str] = Counter()
        self._chunks, self._gate, self._clock, self._report = chunks, gate, clock, report
        self._limits = limits or Limits()
        self._rate = Rate(self._limits.per_second, self._limits.burst)
        self._open: Counter[str] = Counter()

    async def serve(self, stream: SocketStream) -> None:
        """Answer one connection until it ends, errs, or is silent for too long."""
        async with stream:
            address = str(stream.extra(SocketAttribute.remote_address)[0])  # noqa: S610 - no Django
            full = self._open.total() >= self._limits.connections
            if full or self._open[address] >= self._limits.each:
                self.refused["busy"] += 1
                return
            self._open[address] += 1
            try:
                await self._converse(Exchange(stream), address)
            except (anyio.BrokenResourceError, anyio.EndOfStream, h11.ProtocolError):
                return  # it went away, or cannot even be told what is wrong
            except Exception as error:  # noqa: BLE001 - one connection is not the node's end
                self._report("the blob endpoint", error)
            finally:
                self._open -= Counter({address: 1})

    async def _converse(self, exchange: Exchange, address: str) -> None:
        while True:
            request = None
            with anyio.move_on_after(self._limits.head_s) as patience:
                try:
                    request = await exchange.request()
                except h11.RemoteProtocolError as error:
                    self.refused["no request"] += 1
                    await exchange.say(error.error_status_hint, "that is no request")
                    await exchange.go_on()
                    return
            if patience.cancelled_caught:
                self.refused["too slow"] += 1
            if request is None:
                return
            with anyio.move_on_after(
                self._limits.head_s + MOST_CHUNK / self._limits.slowest
            ) as spell:
                await self._reply(exchange, request, address)
            if spell.cancelled_caught:
                self.refused["too slow"] += 1
            if spell.cancelled_caught or not await exchange.go_on():
                return

    async def _reply(self, exchange: Exchange, request: h11.Request, address: str) -> None:
        silent = request.method == b"HEAD"
        try:
            if not self._rate.admits(address, anyio.current_time()):
                raise BlobRefused("busy", "too many requests; wait a second")  # noqa: TRY301 - one way out
            await self._answer(exchange, request)
        except BlobRefused as error:
            self.refused[error.reason] += 1
            status = _STATUS[error.reason]
            text = error.reason if status in {401, 403} else error.message
            await exchange.say(status, text, silent=silent)
        except HermesError as error:
            self._report("the blob endpoint", error)
            await exchange.say(503, "not now: it cannot be kept or read", silent=silent)

    async def _answer(self, exchange: Exchange, request: h11.Request) -> None:
        method, path = request.method.decode("ascii"), request.target.decode("ascii", "replace")
        if (method, path) == ("PUT", "/upload"):
            await self._take(exchange, request)
            return
        found = _PATH.fullmatch(path)
        if not found or method not in {"GET", "HEAD", "DELETE"}:
            raise BlobRefused("no such thing", "GET, HEAD or DELETE /<sha256>, or PUT /upload")
        if method == "DELETE":
            owner = self._admit(request, "delete", found[1])
            if not await self._chunks.remove(owner, found[1]):
                raise BlobRefused("unknown", "there is no such chunk of yours here")
            await exchange.say(200, "removed")
            return
        self._admit(request, "get", found[1])
        await self._give(exchange, request, found[1])

    async def _give(self, exchange: Exchange, request: h11.Request, digest: str) -> None:
        size = self._chunks.size(digest)
        if size is None:
            raise BlobRefused("unknown", "there is no such chunk here")
        headers = [("content-type", _BINARY), ("accept-ranges", "bytes")]
        start, stop, status = 0, size, 200
        if asked := _header(request, b"range"):
            start, stop, status = *range_of(asked, size), 206
            headers.append(("content-range", f"bytes {start}-{stop - 1}/{size}"))
        await exchange.begin(status, headers, stop - start)
        if request.method == b"GET":
            async for piece in self._chunks.read(digest, start, stop):
                await exchange.piece(piece)
        await exchange.end()

    async def _take(self, exchange: Exchange, request: h11.Request) -> None:
        digest = _header(request, b"x-sha-256")
        if not _HEX.fullmatch(digest):
            raise BlobRefused("malformed", "say the chunk's digest in X-SHA-256")
        owner = self._admit(request, "upload", digest)
        length = _header(request, b"content-length")
        if not length or _header(request, b"transfer-encoding"):  # two lengths are an attack
            raise BlobRefused("no length", "say how long the chunk is")
        size = int(length)  # h11 lets digits pass only
        if not 0 < size <= MOST_CHUNK:
            raise BlobRefused("too large", f"a chunk has at most {MOST_CHUNK} bytes")
        async with self._chunks.receiving(owner, digest, size) as incoming:
            async for data in exchange.body():
                await incoming.write(data)
        told = {"sha256": digest, "size": size, "type": _BINARY, "url": f"/{digest}"}
        told["uploaded"] = self._clock.now_ms() // 1000
        body = msgspec.json.encode(told)
        await exchange.begin(200, [("content-type", "application/json")], len(body))
        await exchange.piece(body)
        await exchange.end()

    def _admit(self, request: h11.Request, verb: Verb, digest: str) -> str:
        given = _header(request, b"authorization")
        return self._gate.admit(given, verb, digest, self._clock.now_ms())


@asynccontextmanager
async def open_endpoint(
    chunks: Chunks,
    door: Door,
    known: Callable[[str], bool],
    clock: Clock,
    report: Callable[[str, BaseException], None],
    *,
    names: Iterable[str] = (),
) -> AsyncGenerator[Endpoint]:
    """Answer at a door until the context ends.

    Args:
        chunks: what is served, and where uploads go.
        door: where it listens; its address is one that authorisations may name.
        known: whether an x-only key in hex is admitted.
        clock: tells what has expired.
        report: hears of errors that are ours.
        names: more addresses, HOST:PORT, under which others reach it.
    """
    gate = Gate(known, frozenset({door.address, *(name.lower() for name in names)}))
    endpoint = Endpoint(chunks, gate, clock, report)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(door.serve, endpoint.serve, report)
        try:
            yield endpoint
        finally:
            tasks.cancel_scope.cancel()


def _header(request: h11.Request, name: bytes) -> str:
    """A header that stands there once; twice is as good as nonsense."""
    found = [value for key, value in request.headers if key == name]
    return found[0].decode("latin-1") if len(found) == 1 else ""
