"""The calendar's counter: the three requests of the OpenTimestamps protocol, over plain HTTP.

Strangers talk to it, so everything they can make it keep is bounded: connections, bytes of a
request, seconds of a connection, requests of an address. It does not hide who asks for what;
over a network that is not the owner's, put it behind something that speaks TLS.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import anyio
import h11
from anyio.abc import SocketAttribute, SocketStream

from hermes.chain.batch import Batcher
from hermes.chain.calendar import DIGEST_MOST, Calendar
from hermes.chain.calendar_limits import Limits
from hermes.chain.listening import Door
from hermes.core.rate import Rate
from hermes.errors import HermesError, NotAvailable, Refused
from hermes.store.stamps import Stamps

_HEAD_MOST = 8_192
_READ = 4_096
_TYPE = "application/vnd.opentimestamps.v1"
_TEXT = "text/plain; charset=utf-8"
_COMMITMENT = 64  # hex digits


class Reply(NamedTuple):
    """What goes back."""

    status: int
    body: bytes
    kind: str = _TEXT


class Counter:
    """Answers requests on connections."""

    def __init__(
        self, calendar: Calendar, limits: Limits, report: Callable[[str, BaseException], None]
    ) -> None:
        self._calendar = calendar
        self._limits = limits
        self._report = report
        self._rate = Rate(limits.per_second, limits.burst, limits.addresses)
        self._open = 0

    async def serve(self, stream: SocketStream) -> None:
        """Answer one connection until it ends, errs, or is silent for too long."""
        async with stream:
            if self._open >= self._limits.connections:
                return
            self._open += 1
            try:
                await self._converse(stream)
            except (anyio.BrokenResourceError, anyio.EndOfStream, h11.ProtocolError):
                return  # it went away, or cannot even be told what is wrong
            except Exception as error:  # noqa: BLE001 - one stranger is not the node's end
                self._report("the calendar", error)
            finally:
                self._open -= 1

    async def _converse(self, stream: SocketStream) -> None:
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_MOST)
        address = str(stream.extra(SocketAttribute.remote_address)[0])  # noqa: S610 - not Django's
        while True:
            with anyio.move_on_after(self._limits.request_s) as patience:
                try:
                    request, body = await _receive(http, stream)
                    reply = await self._reply(request, body, address)
                except h11.RemoteProtocolError as error:
                    reply = Reply(error.error_status_hint, b"not a request\n")
                await stream.send(_written(http, reply))
            if patience.cancelled_caught or http.our_state is not h11.DONE:
                return
            if http.their_state is not h11.DONE:
                return  # it did not get to say all: what follows cannot be read
            http.start_next_cycle()

    async def _reply(self, request: h11.Request, body: bytes | None, address: str) -> Reply:
        if not self._rate.admits(address, anyio.current_time()):
            return Reply(429, b"too many requests; wait a second\n")
        if body is None:
            return Reply(413, b"a digest has at most %d bytes\n" % DIGEST_MOST)
        try:
            return await self._answer(request.method, request.target, body)
        except Refused as error:
            return Reply(400, f"{error.message}\n".encode())
        except HermesError as error:
            if not isinstance(error, NotAvailable):  # that there is too much is no fault
                self._report("the calendar", error)
            return Reply(503, b"not now: the calendar cannot keep or find it\n")

    async def _answer(self, method: bytes, path: bytes, body: bytes) -> Reply:
        if (method, path) == (b"POST", b"/digest"):
            return Reply(200, await self._calendar.add(body), _TYPE)
        if method == b"GET" and path.startswith(b"/timestamp/"):
            return await self._timestamp(path.removeprefix(b"/timestamp/"))
        if (method, path) == (b"GET", b"/"):
            return Reply(200, await self._about())
        if method == b"HEAD":
            return Reply(405, b"")
        known = path in {b"/", b"/digest"} or path.startswith(b"/timestamp/")
        return Reply(405 if known else 404, b"POST /digest, GET /timestamp/<hex> or GET /\n")

    async def _timestamp(self, text: bytes) -> Reply:
        try:
            commitment = bytes.fromhex(text.decode("ascii"))
        except ValueError:
            commitment = b""
        if len(text) != _COMMITMENT or len(commitment) * 2 != _COMMITMENT:
            return Reply(400, b"a commitment has 64 hexadecimal digits\n")
        found = await self._calendar.find(commitment)
        if found.way:
            return Reply(200, found.way, _TYPE)
        waits = b"Pending confirmation in Bitcoin blockchain"
        return Reply(404, waits if found.known else b"Commitment not found")

    async def _about(self) -> bytes:
        facts = await self._calendar.facts()
        counted = f"{facts['promises']} promises, {facts['waiting']} in no batch yet"
        return f"OpenTimestamps calendar {facts['uri']}\n{counted}\n".encode()


@asynccontextmanager
async def open_calendar(
    stamps: Stamps,
    address: str,
    batcher: Batcher,
    report: Callable[[str, BaseException], None],
    limits: Limits | None = None,
) -> AsyncGenerator[Calendar]:
    """Open the calendar and answer for it at `address` until the context ends.

    Port 0 takes any free one; the calendar's `uri` has it. Raises SettingsInvalid, and
    NotAvailable when it cannot listen there.
    """
    door = Door.bound(address, "the calendar", 'set chain.calendar = "127.0.0.1:14788"')
    bounds = limits or Limits()
    calendar = Calendar(stamps, f"http://{door.address}", batcher, bounds.waiting)
    counter = Counter(calendar, bounds, report)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(door.serve, counter.serve, report)
        try:
            yield calendar
        finally:
            tasks.cancel_scope.cancel()


async def _receive(http: h11.Connection, stream: SocketStream) -> tuple[h11.Request, bytes | None]:
    """One request; its body is None when it is longer than any digest."""
    request: h11.Request | None = None
    body = bytearray()
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            if http.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                await stream.send(http.send(go_on) or b"")
            http.receive_data(await stream.receive(_READ))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
            if request is not None and len(body) > DIGEST_MOST:
                return request, None
        elif isinstance(event, h11.EndOfMessage) and request is not None:
            return request, bytes(body)
        else:
            raise anyio.EndOfStream


def _written(http: h11.Connection, reply: Reply) -> bytes:
    headers = [("content-type", reply.kind), ("content-length", str(len(reply.body)))]
    if http.their_state is not h11.DONE:
        headers.append(("connection", "close"))
    response = h11.Response(status_code=reply.status, headers=headers)
    parts = (response, h11.Data(data=reply.body), h11.EndOfMessage())
    return b"".join(http.send(part) or b"" for part in parts)
