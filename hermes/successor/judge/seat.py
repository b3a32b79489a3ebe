"""A box that runs trusted tests: loaded with what they need, it waits to be told which; once.

Nothing of the candidate runs in it before: what it loads first are the test runner and libraries.
So it can be opened while the candidate's tree is still being built (`Workbench.candidate` is the
folder that it is built in).
"""

import json
import os
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.to_thread

from hermes.core.task_groups import tasks_beside
from hermes.errors import HermesError
from hermes.sandbox.box import HOME, Bind, Ended, Wires
from hermes.sandbox.boxing import Boxed
from hermes.successor.judge.suite_run import NOTHING, Asked, Known, Told, believed
from hermes.successor.told import write_all
from hermes.successor.workbench import REPO, Side, View, Workbench

OVER = ("tests", "benchmarks")
_SCRIPT = f"{HOME}/judge/suite.py"
_SETTINGS = f"{HOME}/judge/pyproject.toml"
_MOST = 8 << 20
_GRACE_S = 12.0
_TEST = b'"id": '
_ENV = {
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "HYPOTHESIS_STORAGE_DIRECTORY": "/tmp/hypothesis",  # noqa: S108 - inside
}


class Seat:
    """The box, from outside."""

    def __init__(self, boxed: Boxed, orders: int, answers: int, word: str) -> None:
        self._boxed = boxed
        self._orders = orders
        self._answers = answers
        self._word = word
        self._heard = bytearray()
        self._seen = False
        self.on_test: Callable[[], None] = lambda: None
        """Called when the first test has ended."""
        self.loaded = anyio.Event()
        """Set when it waits for nothing but the word."""
        self._begun = anyio.Event()
        self._over = anyio.Event()
        self._end: Ended | HermesError | None = None

    async def live(self, argv: list[str], first: dict[str, object]) -> None:
        """Load, wait, run to the end."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._listen)
            group.start_soon(self._begin, first)
            try:
                self._end = await self._boxed.run(argv)
            except HermesError as error:
                self._end = error
            group.cancel_scope.cancel()
        with suppress(BlockingIOError):
            while self._take():
                pass
        self._over.set()
        self.loaded.set()

    async def run(
        self, bench: Workbench, asked: Asked, known: Known = NOTHING, *, keep: bool = False
    ) -> Told:
        """Tell it what to run; never raises for what the code does.

        `known`: of the parent; `keep`: this is the parent, and what it loads becomes known.
        """
        told: dict[str, object] = {
            "files": asked.files,
            "ids": asked.ids,
            "seconds": asked.seconds,
            "lines": asked.lines,
            "stored": known.stored,
            "keep": keep,
        }
        async with anyio.create_task_group() as group:
            group.start_soon(self._tell, told)
            with anyio.move_on_after(asked.seconds + _GRACE_S):
                await self._over.wait()
            self._boxed.end("wall clock")
            await self._over.wait()
            group.cancel_scope.cancel()
        if not isinstance(self._end, Ended):
            raise self._end or RuntimeError("a box ended without a word")
        bench.spend.add(self._end)
        why = self._end.why if self._end.why != "exit" else f"exit code {self._end.status}"
        heard = bytes(self._heard)
        if len(heard) > _MOST:
            heard, why = b"", f"it told more than {_MOST >> 20} MiB"
        return await anyio.to_thread.run_sync(believed, heard, self._word, why)

    async def _begin(self, words: dict[str, object]) -> None:
        await self._write(words)
        self._begun.set()

    async def _tell(self, words: dict[str, object]) -> None:
        await self._begun.wait()
        await self._write(words)

    async def _write(self, words: dict[str, object]) -> None:
        with suppress(OSError):  # it ended: its end is waited for elsewhere
            await write_all(self._orders, json.dumps(words).encode() + b"\n")

    async def _listen(self) -> None:
        more = True
        while more:
            await anyio.wait_readable(self._answers)
            more = self._take()

    def _take(self) -> bool:
        """One piece; False: there is no more, or too much."""
        piece = os.read(self._answers, 1 << 16)
        self._heard += piece
        if len(self._heard) > _MOST:
            self._boxed.end("output")
            return False
        if piece:
            self.loaded.set()
        if not self._seen and _TEST in piece:
            self._seen = True
            self.on_test()
        return bool(piece)


@asynccontextmanager
async def seated(
    bench: Workbench, side: Side, plugins: tuple[str, ...], known: Known = NOTHING
) -> AsyncGenerator[Seat]:
    """A box for one side's code; nothing of it lives on after the context."""
    over = await anyio.to_thread.run_sync(_laid_over, bench, side)
    files = (
        Bind(Path(__file__).with_name("suite.py"), Path(_SCRIPT)),
        Bind(bench.parent / "pyproject.toml", Path(_SETTINGS)),
    )
    limits = replace(bench.budget.limits(), wall_s=bench.budget.wall_s)
    view = View(limits=limits, read=(*over, *files), env=_ENV, cwd=REPO)
    word = secrets.token_hex(16)
    with ExitStack() as stack, ExitStack() as theirs:
        answers, answer = _pipe(stack, theirs)
        order, orders = _pipe(theirs, stack)
        os.set_blocking(answers, False)
        os.set_blocking(orders, False)
        wires = Wires(stdin=order, keep=(answer,), collect=False)
        async with bench.spare(side, view, wires) as boxed:
            theirs.close()
            seat = Seat(boxed, orders, answers, word)
            first = {
                "fd": answer,
                "word": word,
                "plugins": plugins,
                "modules": known.modules,
                "stored": known.stored,
            }
            async with tasks_beside() as group:
                group.start_soon(seat.live, bench.python("-I", _SCRIPT), first)
                yield seat


def _pipe(reads: ExitStack, writes: ExitStack) -> tuple[int, int]:
    reader, writer = os.pipe()
    reads.callback(os.close, reader)
    writes.callback(os.close, writer)
    return reader, writer


def _laid_over(bench: Workbench, side: Side) -> tuple[Bind, ...]:
    """The parent's tests and benchmarks over the candidate's."""
    if side == "parent":
        return ()
    return tuple(
        Bind(bench.parent / one, Path(REPO) / one)
        for one in OVER
        if (bench.parent / one).is_dir() and (bench.candidate / one).is_dir()
    )
