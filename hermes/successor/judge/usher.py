"""Runs of trusted tests, each in a box of its own; the first one's may have been opened ahead.

Apart from the stage, which says what is run and what the answers mean.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from importlib.util import find_spec

import anyio
import anyio.lowlevel
import anyio.to_thread

from hermes.errors import HermesError
from hermes.successor.judge.seat import Seat, seated
from hermes.successor.judge.suite_run import NOTHING, Asked, Known, Told
from hermes.successor.workbench import Side, Workbench

_FLEETS = ("xdist",)
OnTest = Callable[[Side, float, float], None]
"""Told by the event loop's clock."""


def unheard(_side: Side, _asked: float, _ended: float) -> None:
    """Nobody wants to know."""


@dataclass
class _Ahead:
    """A box that waits for the first run on one side; `seat` None: it could not be opened."""

    side: Side
    opened: anyio.Event = field(default_factory=anyio.Event)
    seat: Seat | None = None


class Usher:
    """Remembers of each commit which libraries its tests need, so that a box can wait with them."""

    def __init__(self, on_test: OnTest) -> None:
        self._on_test = on_test
        self._plugins: tuple[str, ...] | None = None
        self._known: dict[str, Known] = {}
        self._ahead: _Ahead | None = None

    async def ahead(self, bench: Workbench) -> None:
        """Hold a box for the first run: the parent's, or the candidate's where that is known.

        At `bench.candidate` its tree may still be being built; nothing of it is run before `run`.
        """
        side: Side = "candidate" if bench.commit in self._known else "parent"
        self._ahead = ahead = _Ahead(side)
        try:
            async with self._seated(bench, side) as seat:
                ahead.seat = seat
                ahead.opened.set()
                bench.held.set()
                await anyio.sleep_forever()
        except HermesError:  # whoever runs tests opens another one, and is told why not
            ahead.opened.set()
        finally:
            self._ahead = None

    async def loaded(self) -> None:
        """Wait until the box that `ahead` holds waits for nothing but the word."""
        while self._ahead is None:
            await anyio.lowlevel.checkpoint()
        await self._ahead.opened.wait()
        if self._ahead.seat is not None:
            await self._ahead.seat.loaded.wait()

    async def run(self, bench: Workbench, side: Side, asked: Asked) -> Told:
        """Run tests on one side's code; never raises for what the code does."""
        ahead = self._ahead
        if ahead is not None and ahead.side == side:
            self._ahead = None  # one run each
            await ahead.opened.wait()
            if ahead.seat is not None:
                return await self._told(bench, side, ahead.seat, asked)
        async with self._seated(bench, side) as seat:
            return await self._told(bench, side, seat, asked)

    @asynccontextmanager
    async def _seated(self, bench: Workbench, side: Side) -> AsyncGenerator[Seat]:
        if self._plugins is None:
            self._plugins = await plugins()
        async with seated(bench, side, self._plugins, self._of(bench)) as seat:
            yield seat

    async def _told(self, bench: Workbench, side: Side, seat: Seat, asked: Asked) -> Told:
        began = anyio.current_time()

        def heard() -> None:
            bench.under_way.set()
            self._on_test(side, began, anyio.current_time())

        seat.on_test = heard
        told = await seat.run(bench, asked, self._of(bench), keep=side == "parent")
        if side == "parent" and told.passed:
            self._known = {bench.commit: told.known}
        return told

    def _of(self, bench: Workbench) -> Known:
        return self._known.get(bench.commit, NOTHING)


async def plugins() -> tuple[str, ...]:
    """The test runner's plugins of this installation, by name; none without a test runner."""
    return await anyio.to_thread.run_sync(_plugins)


def _plugins() -> tuple[str, ...]:
    if find_spec("pytest") is None:
        return ()
    found = {one.value for one in entry_points(group="pytest11")}
    return tuple(sorted(one for one in found if not one.startswith(_FLEETS)))
