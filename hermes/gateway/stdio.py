"""This process's standard input and output as one byte stream for a protocol.

What else reads or prints here must not reach the other side: descriptor 0 becomes empty and
1 goes to standard error. Waiting ends when it is cancelled; a thread's read would not.
"""

import os

import anyio
from anyio.abc import ByteStream

_PIECE = 1 << 16
_ROOM = 4096  # what a pipe that is writable takes without blocking


class Stdio(ByteStream):
    """Bytes of standard input, bytes to standard output; once a process."""

    def __init__(self) -> None:
        self._reader, self._writer = os.dup(0), os.dup(1)
        empty = os.open(os.devnull, os.O_RDONLY)
        os.dup2(empty, 0)
        os.close(empty)
        os.dup2(2, 1)
        self._waits = True  # a file is always ready, and cannot be waited for

    async def receive(self, max_bytes: int = _PIECE) -> bytes:
        """Receive some bytes; raises EndOfStream."""
        if self._waits:
            try:
                await anyio.wait_readable(self._reader)
            except PermissionError:
                self._waits = False
        data = os.read(self._reader, max_bytes)
        if not data:
            raise anyio.EndOfStream
        return data

    async def send(self, item: bytes) -> None:
        """Send all of it; raises BrokenResourceError when nobody reads."""
        view = memoryview(item)
        while view:
            try:
                await anyio.wait_writable(self._writer)
            except PermissionError:
                await anyio.lowlevel.checkpoint()
            try:
                view = view[os.write(self._writer, view[:_ROOM]) :]
            except OSError as error:
                raise anyio.BrokenResourceError from error

    async def send_eof(self) -> None:
        """Nothing: the end of the process says so."""

    async def aclose(self) -> None:
        """Close both."""
        os.close(self._reader)
        os.close(self._writer)
        await anyio.lowlevel.checkpoint()
