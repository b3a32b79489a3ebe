"""One HTTP/1.1 connection on the serving side: h11 over a stream, bodies in pieces both ways.

Apart from what is served. It bounds what a stranger can make it keep: one head of 8 KiB and one
piece of a body; time is bounded by its caller.
"""

import re
from collections.abc import AsyncIterator

import anyio
import h11
from anyio.abc import SocketStream

from hermes.errors import BlobRefused

_HEAD_MOST = 8_192
_READ = 1 << 16
_LINGER_S = 1.0
_RANGE = re.compile(r"bytes=([0-9]{0,12})-([0-9]{0,12})")
_TEXT = "text/plain; charset=utf-8"

Headers = list[tuple[str, str]]


class Exchange:
    """Requests and answers, one after the other."""

    def __init__(self, stream: SocketStream) -> None:
        self._stream = stream
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_MOST)

    async def request(self) -> h11.Request | None:
        """The next request's head; None: the other side is done. Raises RemoteProtocolError."""
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._received())
            else:
                return event if isinstance(event, h11.Request) else None

    async def body(self) -> AsyncIterator[bytes]:
        """The request's body as it comes; BlobRefused where it is cut off."""
        while True:
            if self._http.they_are_waiting_for_100_continue:
                await self._send(h11.InformationalResponse(status_code=100, headers=[]))
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                raise BlobRefused("cut off", "the body is cut off, or no body") from error
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._received())
            elif isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return
            else:
                raise BlobRefused("cut off", "the body is cut off")

    async def begin(self, status: int, headers: Headers, length: int) -> None:
        """The answer's head; `length` bytes of `piece` follow."""
        headers = [*headers, ("content-length", str(length))]
        if self._http.their_state is not h11.DONE:
            headers.append(("connection", "close"))  # what it still says cannot be read as HTTP
        await self._send(h11.Response(status_code=status, headers=headers))

    async def piece(self, data: bytes) -> None:
        """Part of the answer's body."""
        await self._send(h11.Data(data=data))

    async def end(self) -> None:
        """No more of the answer."""
        await self._send(h11.EndOfMessage())

    async def say(self, status: int, text: str, *, silent: bool = False) -> None:
        """A short answer; `silent` to a HEAD: the length without the text."""
        body = f"{text}\n".encode()
        await self.begin(status, [("content-type", _TEXT), ("x-reason", text)], len(body))
        if not silent:
            await self.piece(body)
        await self.end()

    async def go_on(self) -> bool:
        """Make ready for the next request; False where there can be none.

        Who was cut short while sending gets a moment to read why before the line is closed.
        """
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            return True
        if self._http.our_state in {h11.DONE, h11.MUST_CLOSE}:
            with anyio.move_on_after(_LINGER_S):
                await self._stream.send_eof()
                while await self._received():
                    pass
        return False

    async def _received(self) -> bytes:
        try:
            return await self._stream.receive(_READ)
        except anyio.EndOfStream:
            return b""  # h11 knows whether it may end here

    async def _send(self, event: h11.Event) -> None:
        await self._stream.send(self._http.send(event) or b"")


def range_of(text: str, size: int) -> tuple[int, int]:
    """Start and stop of the one range that a header asks for; raises BlobRefused.

    Several ranges at once are refused: nobody needs them of a chunk.
    """
    found = _RANGE.fullmatch(text)
    first, last = found.groups() if found else ("", "")
    if first:
        start, stop = int(first), int(last) + 1 if last else size
    else:
        start, stop = size - min(size, int(last or 0)), size
    if not found or not start < min(stop, size):
        raise BlobRefused("bad range", f"of {size} bytes, ask bytes=FIRST-LAST")
    return start, min(stop, size)
