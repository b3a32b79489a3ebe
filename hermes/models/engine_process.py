"""One run of the engine's process, seen from its owner: spawn, ready, why it ended, stop.

Apart from the supervisor, which decides when there is a run. Nothing here is a shell's.
"""

import math
import os
import signal
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import PIPE

import anyio
from anyio.abc import ByteReceiveStream, Process, TaskGroup
from anyio.streams.buffered import BufferedByteReceiveStream

from hermes.errors import EngineDied, NotAvailable
from hermes.models.engine_wire import READY, EngineOptions, missing_of

# The child takes this very tree, whatever else is installed, and runs none of its __init__.
_BOOT = (
    "import importlib, sys, types; house = types.ModuleType('hermes'); "
    "house.__path__ = [sys.argv[1]]; sys.modules['hermes'] = house; "
    "importlib.import_module(sys.argv[2]).main()"
)
_HOUSE = str(Path(__file__).parent.parent)
_LINES = 40
_LINE_CHARS = 400
_TOLD_LINES = 3
_MOST_ANSWER = 4_096
_STOP_S = 2.0
_BROKEN = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream)


def command_of(python: str, module: str) -> list[str]:
    """The argument list of an engine process; it carries no secret."""
    return [python, "-I", "-c", _BOOT, _HOUSE, module]


class EngineProcess:
    """A running child. Made by `engine_process`."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._errors: deque[str] = deque(maxlen=_LINES)
        self._errors_end = anyio.Event()

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    async def become_ready(self, options: EngineOptions, limit_s: float) -> None:
        """Hand the options in and wait for `ready`; raises EngineDied or NotAvailable."""
        answer = b""
        try:
            with anyio.fail_after(None if math.isinf(limit_s) else limit_s):
                answer = await self._ask(options)
        except TimeoutError as error:
            raise EngineDied(f"the engine was not ready in {limit_s:g} s") from error
        except (*_BROKEN, anyio.IncompleteRead, anyio.DelimiterNotFound):
            pass  # it ended, or babbles: what it said on stderr is the reason
        if missing := missing_of(answer):
            raise NotAvailable(missing, "pip install 'hermes-v2[llama-cpp-python]'")
        if answer != READY:
            await self.stop()
            raise EngineDied(
                f"the engine did not start: {await self.reason(_TOLD_LINES)}",
                "try a smaller window (--context) or another model",
            )

    async def _ask(self, options: EngineOptions) -> bytes:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        await self._process.stdin.send(options.line())
        answers = BufferedByteReceiveStream(self._process.stdout)
        return await answers.receive_until(b"\n", _MOST_ANSWER)

    async def wait(self) -> None:
        """Return when the child has ended."""
        await self._process.wait()

    async def reason(self, lines: int = 1) -> str:
        """Why it ended, with the last lines that it wrote on stderr; waits for its end."""
        code = await self._process.wait()
        with anyio.move_on_after(_STOP_S):
            await self._errors_end.wait()
        said = " | ".join(list(self._errors)[-lines:])
        return f"{_end_of(code)}: {said}" if said else _end_of(code)

    async def stop(self) -> None:
        """End the child: first by closing its stdin, then by force."""
        assert self._process.stdin is not None
        with anyio.CancelScope(shield=True):
            await self._process.stdin.aclose()
            with anyio.move_on_after(_STOP_S):
                await self._process.wait()
                return
            self._process.kill()
            await self._process.wait()

    async def drain(self, stream: ByteReceiveStream) -> None:
        """Keep the last lines of stderr, so that the child never blocks on it."""
        rest = b""
        try:
            async for chunk in stream:
                *lines, rest = (rest + chunk).split(b"\n")
                self._errors.extend(_plain(line) for line in lines if line.strip())
                rest = rest[-_LINE_CHARS:]
        except _BROKEN:
            pass
        finally:
            if rest.strip():
                self._errors.append(_plain(rest))
            self._errors_end.set()


@asynccontextmanager
async def engine_process(
    tasks: TaskGroup, command: Sequence[str], cwd: Path
) -> AsyncIterator[EngineProcess]:
    """Run an engine's process for as long as the context; raises OSError where it can't start."""
    # A session of its own: Ctrl-C in the terminal stops the turn, not the engine.
    process = await anyio.open_process(
        command, stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=cwd, start_new_session=True
    )
    assert process.stderr is not None
    child = EngineProcess(process)
    tasks.start_soon(child.drain, process.stderr)  # ends with the child
    try:
        yield child
    finally:
        with anyio.CancelScope(shield=True):
            await child.stop()
            await process.aclose()


def is_dead(pid: int) -> bool:
    """Whether a child has ended, also when the loop has not noticed yet; reaps nothing."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _end_of(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def _plain(line: bytes) -> str:
    """A line of the engine's, without what could drive a terminal."""
    text = line[:_LINE_CHARS].decode(errors="replace")
    return "".join(mark if mark.isprintable() else " " for mark in text).strip()
