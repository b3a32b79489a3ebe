"""One command that runs, seen from the owner: its output pipe and its control socket."""

import contextlib
import json
import os
import socket
from collections.abc import Callable
from typing import Any

import anyio

from hermes.sandbox.output import Output

PIECE = 1 << 16
END_S = 5.0


class Running:
    """Collects its output, and has it killed when it is told to end."""

    def __init__(
        self,
        reader: int,
        control: socket.socket,
        output: Output,
        on_output: Callable[[bytes], None] | None,
    ) -> None:
        self._reader = reader
        self._control = control
        self._output = output
        self._on_output = on_output
        self._words = b""
        self._over = False

    async def attend(self, request: bytes) -> dict[str, Any]:
        """Hand in the request, collect output, wait for the end; gives the keeper's words.

        They hold `started`, and `status` or `error`; nothing when the keeper never began.
        """
        async with anyio.create_task_group() as group:
            group.start_soon(self._collect)
            with contextlib.suppress(OSError):
                await self._send(request)
                while await self._listen():
                    pass
            self._over = True
            group.cancel_scope.cancel()
        words: dict[str, Any] = {}
        for line in self._words.splitlines():
            words |= json.loads(line)
        return words

    async def end(self) -> None:
        """Have the tree killed if it still lives, and wait until it is gone."""
        if self._over:
            return
        with anyio.move_on_after(END_S, shield=True), contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)
            while await self._listen():
                pass

    def drain(self) -> None:
        """Take what still lies in the pipe; never waits."""
        with contextlib.suppress(BlockingIOError):
            while self._take():
                pass

    async def _collect(self) -> None:
        while True:
            await anyio.wait_readable(self._reader)
            try:
                if not self._take():
                    return
            except BlockingIOError:
                continue

    def _take(self) -> bool:
        piece = os.read(self._reader, PIECE)
        self._output.add(piece)
        if piece and self._on_output is not None:
            self._on_output(piece)
        return bool(piece)

    async def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self._control.send(view) :]
            except BlockingIOError:
                await anyio.wait_writable(self._control)

    async def _listen(self) -> bool:
        await anyio.wait_readable(self._control)
        with contextlib.suppress(BlockingIOError):
            piece = self._control.recv(4096)
            self._words += piece
            return bool(piece)
        return True
