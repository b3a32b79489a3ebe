"""The owner's side of the guard: run one command, bounded in time and output.

Cancelling a run kills its whole tree at once. Commands see only the environment they are
given. It does not confine what a command may read or write while it runs.
"""

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import anyio
import anyio.abc

from hermes.errors import NotAvailable, ToolFailure
from hermes.sandbox.command import Command, Finished
from hermes.sandbox.output import Output
from hermes.sandbox.running import Running

__all__ = ["Command", "Finished", "Shell"]

GUARD = Path(__file__).with_name("guard.py")
GUARD_END_S = 2.0


class GuardLost(Exception):
    """The guard ended before the command was started."""


class Shell:
    """Runs commands through one guard process, which starts with the first of them."""

    def __init__(self, limits: Mapping[str, int] | None = None) -> None:
        self._limits = {"CORE": 0} | dict(limits or {})
        self._lock = anyio.Lock()
        self._guard: anyio.abc.Process | None = None
        self._door: socket.socket | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        with anyio.CancelScope(shield=True):
            await self._close()

    @property
    def guard_pid(self) -> int | None:
        """The guard's process id, once it runs."""
        return self._guard.pid if self._guard else None

    async def run(
        self, command: Command, on_output: Callable[[bytes], None] | None = None
    ) -> Finished:
        """Run a command to its end; raises ToolFailure when it cannot be started.

        Nothing that it started is left when this returns or is cancelled.
        """
        for _ in range(3):
            with contextlib.suppress(GuardLost):
                return await self._attempt(command, on_output)
        raise NotAvailable("the guard process dies at once", "see `hermes doctor`")

    async def _attempt(
        self, command: Command, on_output: Callable[[bytes], None] | None
    ) -> Finished:
        output = Output(command.cap_bytes)
        with contextlib.ExitStack() as stack:
            reader, control = await self._hand_over(stack)
            run = Running(reader, control, output, on_output)
            words: dict[str, Any] = {"started": 0}
            with anyio.move_on_after(command.timeout_s) as scope:
                try:
                    words = await run.attend(self._request(command))
                finally:
                    await run.end()
            run.drain()
        if "error" in words:
            raise ToolFailure(f"cannot run {command.argv[0]}: {words['error']}")
        if "started" not in words:
            raise GuardLost
        head, tail = output.parts()
        return Finished(
            status=words.get("status", -9),  # its keeper was killed: the guard sweeps up
            head=head,
            tail=tail,
            lines=output.lines,
            dropped=output.dropped,
            timed_out=scope.cancelled_caught,
        )

    def _request(self, command: Command) -> bytes:
        text = json.dumps(
            {
                "argv": command.argv,
                "cwd": str(command.cwd),
                "env": dict(command.env),
                "limits": self._limits,
                "input": command.stdin,
            }
        ).encode()
        return struct.pack("!I", len(text)) + text

    async def _hand_over(self, stack: contextlib.ExitStack) -> tuple[int, socket.socket]:
        reader, writer = os.pipe()
        stack.callback(os.close, reader)
        os.set_blocking(reader, False)
        ours, theirs = socket.socketpair()
        stack.enter_context(ours)
        ours.settimeout(0)
        try:
            async with self._lock:
                door = await self._open()
                await _pass(door, [writer, theirs.fileno()])
        except OSError:
            await self._close()
            raise GuardLost from None
        finally:
            os.close(writer)
            theirs.close()
        return reader, ours

    async def _open(self) -> socket.socket:
        if self._door is not None and self._guard is not None and self._guard.returncode is None:
            return self._door
        await self._close()
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                with anyio.CancelScope(shield=True):  # half a start would leave a zombie
                    self._guard = await anyio.open_process(
                        [sys.executable, "-I", "-S", str(GUARD), str(theirs.fileno())],
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL,
                        pass_fds=[theirs.fileno()],
                        start_new_session=True,
                        env={},
                    )
            except BaseException:
                ours.close()
                raise
        ours.settimeout(0)
        self._door = ours
        return ours

    async def _close(self) -> None:
        door, self._door = self._door, None
        guard, self._guard = self._guard, None
        if door is not None:
            door.close()
        if guard is not None:
            with anyio.move_on_after(GUARD_END_S):
                await guard.wait()
                return
            guard.kill()
            await guard.wait()


async def _pass(door: socket.socket, descriptors: list[int]) -> None:
    while True:
        try:
            socket.send_fds(door, [b"k"], descriptors)
        except BlockingIOError:
            await anyio.wait_writable(door)
        else:
            return
