"""One sandbox that runs, seen from outside: its streams, its bounds, its end.

Started on the event loop's thread, never in another one: bubblewrap dies with the thread that
started it. Killing is one signal to the outer group; the kernel takes the rest along, since
process 1 of the inside dies.
"""

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import anyio
import anyio.abc
import anyio.to_thread

from hermes.errors import NotAvailable
from hermes.sandbox.box import Box, Limits, Why, Wires
from hermes.sandbox.leftovers import Leftovers
from hermes.sandbox.weigh import Weight, weigh

OnOutput = Callable[[str, bytes], None]
_POLL_S = 0.05
_NEVER = b"\0"  # words hold none
_SPARE_PROCESSES = 5  # bubblewrap's own, and a meter


def frame(words: Sequence[str]) -> bytes:
    """Words as the last step reads them."""
    body = b"".join(os.fsencode(word) + b"\0" for word in words)
    return len(body).to_bytes(4, "big") + body


def command(argv: Sequence[str], env: Sequence[str], cwd: str) -> bytes:
    """The frame that says what to become."""
    return frame([cwd, str(len(argv)), *argv, *env])


@dataclass
class Inmate:
    """A started sandbox; `why` is set by whoever ends it first."""

    process: anyio.abc.Process
    control: socket.socket
    box: Box
    strike: Callable[[], None]
    leftovers: Leftovers | None = None
    why: Why | None = None
    said: bytes = b""
    peak: int = 0
    cpu_s: float = 0.0
    processes: int = 0
    streams: dict[str, bytearray] = field(default_factory=dict)

    @property
    def limits(self) -> Limits:
        """The box's limits."""
        return self.box.limits

    def end(self, why: Why | None) -> None:
        """Kill everything in it; the first reason stays."""
        if self.why is None:
            self.why = why
        self.strike()

    async def attend(self, frames: bytes, wires: Wires, on_output: OnOutput | None) -> None:
        """Hand in the frames, collect, watch; returns when all in it has ended.

        Raises NotAvailable where that takes too long.
        """
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch)
            group.start_soon(self._clock)
            group.start_soon(self.hand_in, frames)
            group.start_soon(self._listen)
            async with anyio.create_task_group() as pumps:
                for name in ("stdout", "stderr"):
                    self.streams[name] = bytearray()
                    pumps.start_soon(self._pump, name, wires.collect, on_output)
                await self.process.wait()
            group.cancel_scope.cancel()
        if self.leftovers is not None and not await self.leftovers.gone():
            raise NotAvailable("what ran in the sandbox does not end", "see `hermes sandbox check`")
        with contextlib.suppress(BlockingIOError, OSError):
            while piece := self.control.recv(4096):
                self.said += piece

    async def _pump(self, name: str, collect: bool, on_output: OnOutput | None) -> None:  # noqa: FBT001
        stream = self.process.stdout if name == "stdout" else self.process.stderr
        if stream is None:
            return
        room = self.limits.output
        async for piece in stream:
            fits = piece[:room]
            if collect:
                self.streams[name] += fits
            if on_output is not None and fits:
                on_output(name, fits)
            room -= len(fits)
            if len(piece) > len(fits):
                self.end("output")

    async def _clock(self) -> None:
        await anyio.sleep(self.limits.wall_s)
        self.end("wall clock")

    async def _watch(self) -> None:
        while True:
            await anyio.sleep(_POLL_S)
            weight = await anyio.to_thread.run_sync(weigh, self.process.pid)
            self.peak = max(self.peak, weight.memory)
            self.cpu_s = max(self.cpu_s, weight.cpu_s)
            self.processes = max(self.processes, weight.processes)
            if why := over(weight, self.limits):
                self.end(why)

    async def hand_in(self, data: bytes) -> None:
        """Write to the last step, which may have ended."""
        view = memoryview(data)
        with contextlib.suppress(OSError):  # it ended: its end is waited for elsewhere
            while view:
                try:
                    view = view[self.control.send(view) :]
                except BlockingIOError:
                    await anyio.wait_writable(self.control)

    async def heard(self, words: bytes) -> bool:
        """Wait for words of the last step; False when it closed first."""
        with contextlib.suppress(OSError):
            while words not in self.said:
                await anyio.wait_readable(self.control)
                piece = self.control.recv(4096)
                if not piece:
                    return False
                self.said += piece
            return True
        return False

    async def _listen(self) -> None:
        await self.heard(_NEVER)


def over(weight: Weight, limits: Limits) -> Why | None:
    """Which bound a tree is over."""
    if weight.memory > limits.tree_memory:
        return "memory"
    if weight.processes > limits.processes + _SPARE_PROCESSES:
        return "processes"
    if weight.cpu_s > limits.cpu_s:
        return "cpu"
    if weight.machine_is_full:
        return "machine memory"
    return None


def kill_group(process: anyio.abc.Process) -> None:
    """SIGKILL a session that was started by us, unless its number may be somebody else's now."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
