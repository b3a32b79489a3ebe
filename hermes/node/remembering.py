"""The owner's background work on memory: when it runs, and what a person sees of it.

It gives way: between two turns it works in slices, and a slice is dropped when a turn begins.
Each task is whole or not done at every step, so that dropping it loses nothing.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import NamedTuple

import anyio

from hermes.conversation.bus import Bus
from hermes.core.clock import Clock, rfc3339
from hermes.core.event import Json
from hermes.errors import HermesError, Usage
from hermes.memory.chore import Report, Task
from hermes.node.desk import Query
from hermes.store.chores import Chore, ChoreBook

_AFTER_START_S = 5.0  # the first turn of a new owner comes first
_LOOK_S = 30.0
_SLICE_S = 0.2
_SETTLED_S = 0.25  # who sends one message after the other meets no background work at all
_BY_HAND_S = 30.0
_STARVED_S = 600.0  # an owner who is never quiet gets a slice now and then all the same


class Shift(NamedTuple):
    """A task, how often it is due, and whether the settings let it run by itself."""

    task: Task
    every_s: float
    enabled: bool


class Remembering:
    """Runs the historian and the dreamer while nobody waits."""

    def __init__(
        self,
        shifts: Sequence[Shift],
        book: ChoreBook,
        bus: Bus,
        clock: Clock,
        report: Callable[[str, BaseException], None],
    ) -> None:
        self._shifts = {shift.task.name: shift for shift in shifts}
        self._book = book
        self._bus = bus
        self._clock = clock
        self._report = report
        self._working = anyio.Lock()
        self._now = ""

    def queries(self) -> Mapping[str, Query]:
        """The table of query names."""
        return {
            "memory.status": self.status,
            "memory.run": self.run_by_hand,
            "memory.pause": self.pause,
        }

    async def status(self) -> Json:
        """Each task: whether it runs by itself, what it last did, when it is due."""
        return [_plain(await self._book.get(name), shift, self._now) for name, shift in self._all()]

    async def run_by_hand(self, task: str) -> Json:
        """One run of a task, also of one that is paused; it may say that more is left."""
        shift, began = self._known(task), self._clock.now_ms()
        async with self._at_work(task):
            report = await shift.task.run(_BY_HAND_S)
        await self._book.ran(task, began, report.text)
        return {"task": task, "looked": report.looked, "changed": report.changed,
                "more": report.more, "text": report.text}  # fmt: skip

    async def pause(self, task: str, paused: bool) -> Json:  # noqa: FBT001 - the public query's word
        """Pause a task, or let it go on."""
        self._known(task)
        await self._book.pause(task, paused=paused)
        return {"task": task, "paused": paused}

    async def run(self) -> None:
        """Run what is due, forever."""
        await anyio.sleep(_AFTER_START_S)
        while True:
            for name, shift in self._all():
                if shift.enabled and await self._is_due(name, shift):
                    await self._turn_of(name, shift)
            await anyio.sleep(_LOOK_S)

    async def _is_due(self, name: str, shift: Shift) -> bool:
        chore = await self._book.get(name)
        since = self._clock.now_ms() - (chore.started or 0)
        return not chore.paused and not 0 <= since < shift.every_s * 1000

    async def _turn_of(self, name: str, shift: Shift) -> None:
        """Slices until the task has no more to do."""
        began, looked, changed, text = self._clock.now_ms(), 0, 0, ""
        while True:
            try:
                report = await self._slice(name, shift.task)
            except (HermesError, OSError) as error:
                self._report(name, error)
                text = f"failed: {error}"
                break
            if report is not None:
                looked, changed, text = (
                    looked + report.looked,
                    changed + report.changed,
                    report.text,
                )
                if not report.more or (await self._book.get(name)).paused:
                    break
        if looked or text.startswith("failed") or shift.every_s > _STARVED_S:
            await self._book.ran(name, began, text)

    async def _slice(self, name: str, task: Task) -> Report | None:
        """Work a moment while no turn runs; None when a turn came first."""
        with anyio.move_on_after(_STARVED_S) as starved:
            await self._bus.quiet(_SETTLED_S)
        reports: list[Report] = []
        way = nullcontext() if starved.cancelled_caught else self._bus.giving_way()
        async with self._at_work(name), way:
            reports.append(await task.run(_SLICE_S))
        return reports[0] if reports else None

    @asynccontextmanager
    async def _at_work(self, name: str) -> AsyncIterator[None]:
        async with self._working:
            self._now = name
            try:
                yield
            finally:
                self._now = ""

    def _all(self) -> list[tuple[str, Shift]]:
        return list(self._shifts.items())

    def _known(self, task: str) -> Shift:
        if task not in self._shifts:
            raise Usage(f"no task is called {task!r}", f"there are {', '.join(self._shifts)}")
        return self._shifts[task]


def _plain(chore: Chore, shift: Shift, now: str) -> dict[str, Json]:
    due = None if chore.started is None else chore.started + int(shift.every_s * 1000)
    state = "off" if not shift.enabled else "paused" if chore.paused else "waiting"
    return {
        "task": chore.name,
        "state": "running" if now == chore.name else state,
        "last_run": _time(chore.finished),
        "result": chore.result,
        "due": _time(due) if state == "waiting" else None,
    }


def _time(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)
