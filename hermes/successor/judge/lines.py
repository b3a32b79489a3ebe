"""Lines of JSON to and from a box: whoever is inside is hostile, so all is capped and timed."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import msgspec

from hermes.errors import SuccessorError

Json = Any
_LINE_MOST = 16 << 20
_MOST = 64 << 20
_PIECE = 1 << 18


class Broken(SuccessorError):
    """The version under trial died, hung, or said what is no answer; `how` in one word."""

    def __init__(self, how: str, says: str) -> None:
        super().__init__(says)
        self.how = how


class Lines:
    """Lines of JSON over a socket, capped."""

    def __init__(self, ours: socket.socket) -> None:
        self._socket = ours
        self._socket.setblocking(False)  # noqa: FBT003 - the standard library's form
        self._buffer = bytearray()
        self._room = _MOST

    async def send(self, *messages: Json) -> None:
        """Send messages; raises Broken."""
        self._room = _MOST
        data = b"".join(msgspec.json.encode(one) + b"\n" for one in messages)
        view = memoryview(data)
        while view:
            try:
                view = view[self._socket.send(view) :]
            except BlockingIOError:
                await anyio.wait_writable(self._socket)
            except OSError as error:
                raise Broken("died", "it reads no more") from error

    async def receive(self) -> dict[str, Json]:
        """Receive one; raises Broken."""
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > _LINE_MOST:
                raise Broken("flood", f"a line of more than {_LINE_MOST} bytes")
            self._buffer += await self._more()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        try:
            found = msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError, ValueError) as error:
            raise Broken("garbled", f"not JSON: {error}") from error
        if not isinstance(found, dict):
            raise Broken("garbled", "a line is no JSON object")
        return found

    async def _more(self) -> bytes:
        while True:
            try:
                piece = self._socket.recv(_PIECE)
            except BlockingIOError:
                await anyio.wait_readable(self._socket)
            except OSError as error:
                raise Broken("died", str(error)) from error
            else:
                if not piece:
                    raise Broken("died", "it ended")
                self._room -= len(piece)
                if self._room < 0:
                    raise Broken("flood", f"more than {_MOST} bytes for one question")
                return piece


@contextmanager
def patience(how: str, seconds: float) -> Iterator[None]:
    """Whoever does not answer in this time hangs."""
    try:
        with anyio.fail_after(seconds):
            yield
    except TimeoutError as error:
        raise Broken(how, f"no answer in {seconds:.0f} s") from error
