"""A running node handed over to another version's process: both sides of the wire between them.

The new process starts beside the old one, which works on until the new one is ready. The store's
lock goes over by its descriptor, so that it is never free in between. The old process stays as
the new one's parent: it passes on the order to end, and works on when the new one does not live.
"""

import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Self

import anyio
from anyio.abc import Process, UNIXSocketStream

from hermes.errors import SuccessorError
from hermes.store.lock import OwnerLock

AGAIN = 75
"""The exit code of a node whose version was left: the one before takes its place."""
_READY, _YOURS, _UP = b"ready\n", b"yours\n", b"up\n"
_END_S = 4.0
_GONE = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)


class Next:
    """The next version's process, seen from the old one; an async context manager that ends it."""

    def __init__(self, process: Process, wire: UNIXSocketStream) -> None:
        self._process = process
        self._wire = wire

    @classmethod
    async def start(cls, command: Sequence[str], env: Mapping[str, str], lock: OwnerLock) -> "Next":
        """Start it beside us; it waits for the lock. Raises SuccessorError."""
        ours, theirs = socket.socketpair()
        try:
            words = [*command, "--handed", f"{lock.handle}:{theirs.fileno()}"]
            # A session of its own: Ctrl-C and a dead parent are not its end.
            process = await anyio.open_process(
                words, env=dict(env), stdin=subprocess.DEVNULL, stdout=None, stderr=None,
                pass_fds=(lock.handle, theirs.fileno()), start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            ours.close()
            raise SuccessorError(f"the new version cannot be started: {error.strerror}") from error
        finally:
            theirs.close()
        return cls(process, await UNIXSocketStream.from_socket(ours))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        with anyio.CancelScope(shield=True):
            await self._wire.aclose()
            await self._end()

    async def ready(self, limit_s: float) -> None:
        """Wait until it has imported everything and waits for us; raises SuccessorError."""
        await self._hear(_READY, limit_s, "did not get ready")

    async def give(self) -> None:
        """The store is closed: it is theirs."""
        with suppress(*_GONE):
            await self._wire.send(_YOURS)

    async def up(self, limit_s: float) -> None:
        """Wait until it has opened the store and listens; raises SuccessorError."""
        await self._hear(_UP, limit_s, "did not come up")

    async def wait(self) -> int:
        """Its exit code, once it has ended."""
        return await self._process.wait()

    async def _hear(self, word: bytes, limit_s: float, failed: str) -> None:
        heard = b""
        try:
            with anyio.fail_after(limit_s):
                while not heard.endswith(b"\n"):
                    heard += await self._wire.receive(64)
        except (TimeoutError, *_GONE) as error:
            raise SuccessorError(f"the new version {failed}") from error
        if heard != word:
            raise SuccessorError(f"the new version {failed}: it said something else")

    async def _end(self) -> None:
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.terminate()
            with anyio.move_on_after(_END_S):
                await self._process.wait()
        if self._process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()
        await self._process.aclose()


class Handed:
    """What an old process handed to us: its lock, and the wire to it."""

    def __init__(self, lock_handle: int, wire_handle: int) -> None:
        self._lock_handle = lock_handle
        self._wire_handle = wire_handle
        self._wire: UNIXSocketStream | None = None

    @classmethod
    def of(cls, words: str) -> "Handed":
        """From the command line: LOCK:WIRE."""
        lock, _, wire = words.partition(":")
        return cls(int(lock), int(wire))

    async def take(self, lock: OwnerLock) -> None:
        """Say that we are ready, and wait until the store is ours.

        Raises SuccessorError when the old process went away before.
        """
        lock.inherit(self._lock_handle)
        ours = socket.socket(fileno=self._wire_handle)
        ours.setblocking(False)  # noqa: FBT003 - the library's own name
        self._wire = await UNIXSocketStream.from_socket(ours)
        try:
            await self._wire.send(_READY)
            heard = await self._wire.receive(64)
        except _GONE as error:
            raise SuccessorError("the old version ended before it handed over") from error
        if heard != _YOURS:
            raise SuccessorError("the old version did not hand over")
        lock.sign()

    async def up(self) -> None:
        """Say that we work; the old process may be gone by now."""
        if self._wire is not None:
            with suppress(*_GONE):
                await self._wire.send(_UP)
