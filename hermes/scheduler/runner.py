"""The scheduler: while an owner lives, it runs each job when it is due, and records each slot.

Every slot ends in exactly one record: a claim is unique for job and slot, so that neither a
crash nor a clock set back runs one twice. It does not guard against two owners: the store's
lock does.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, Self

import anyio
from anyio.abc import TaskGroup

from hermes.core.clock import Clock, SystemClock
from hermes.errors import HermesError, Usage
from hermes.scheduler.due import Plan, plan_due
from hermes.scheduler.jobs import Order, describe, details_of, make_job
from hermes.store.jobs import Job, JobId, JobLedger, RunId, RunState

MOST_JOBS = 200
RESULT_CHARS = 2_000
_LOOK_MS = 30_000  # a clock that jumped or a machine that slept is noticed within this time
_INTERRUPTED = "interrupted: the owner stopped before it was done"

Ending = tuple[RunState, str]


class Timer(Clock, Protocol):
    """A clock that one can wait by; tests hand in a virtual one."""

    async def sleep_until(self, at_ms: int) -> None:
        """Return at that time or somewhat later; at once when it is past."""
        ...


class WallTimer(SystemClock):
    """The machine's clock. A wait is of elapsed time: a clock set meanwhile does not move it."""

    async def sleep_until(self, at_ms: int) -> None:
        """Sleep as long as it is until then now."""
        await anyio.sleep(max(0, at_ms - self.now_ms()) / 1000)


@dataclass(frozen=True)
class Work:
    """What the scheduler is given to do its work with.

    `execute` runs a job and returns what it reports. `report` is told how a slot ended.
    `failed` is told of errors that belong to nobody's run, such as a full disk.
    """

    execute: Callable[[Job], Awaitable[str]]
    report: Callable[[Job, int, RunState, str], Awaitable[None]]
    failed: Callable[[Exception], Awaitable[None]]


@dataclass(frozen=True)
class Bounds:
    """What runs may use together and alone."""

    parallel: int = 2
    run_s: float = 600.0


class Scheduler:
    """Runs jobs while it is open; use as an async context manager, one for a store."""

    def __init__(
        self, ledger: JobLedger, timer: Timer, work: Work, bounds: Bounds = Bounds()
    ) -> None:
        self._ledger = ledger
        self._timer = timer
        self._work = work
        self._run_ms = round(bounds.run_s * 1000)
        self._places = anyio.Semaphore(bounds.parallel)
        self._running: dict[JobId, anyio.CancelScope] = {}
        self._adding = anyio.Lock()
        self._wake = anyio.Event()
        self._tasks: TaskGroup

    async def __aenter__(self) -> Self:
        for run in await self._ledger.unfinished_runs():
            job = await self._ledger.get(run.job)
            await self._end(job, run.id, run.scheduled_for, ("failed", _INTERRUPTED))
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._watch)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._tasks.cancel_scope.cancel()
        # The body's own exception is not a task's: handing it on would wrap it.
        await self._tasks.__aexit__(None, None, None)

    async def add(self, order: Order) -> Job:
        """Keep a new job under the next free number; raises Usage."""
        async with self._adding:
            known = await self._ledger.list(ended=True)
            if sum(job.state in {"active", "paused"} for job in known) >= MOST_JOBS:
                raise Usage(f"there are {MOST_JOBS} jobs already", "hermes jobs cancel ID")
            number = max((int(job.id) for job in known if job.id.isdecimal()), default=0) + 1
            make = partial(make_job, order, JobId(str(number)), self._timer.now_ms())
            job = await self._ledger.add(await anyio.to_thread.run_sync(make))
        self._wake.set()
        return job

    async def cancel(self, job: JobId) -> None:
        """End a job, and its run if it is going; raises Usage when there is none."""
        await self._ledger.cancel(job)
        if job in self._running:
            self._running[job].cancel()
        self._wake.set()

    async def lines(self, limit: int) -> tuple[int, tuple[str, ...]]:
        """Say how many jobs there are, and show the first of them in one line each."""
        jobs = await self._ledger.list()
        shown = []
        for job in jobs[:limit]:
            last = await self._ledger.runs(job.id, 1)
            shown.append(await anyio.to_thread.run_sync(describe, job, *last))
        return len(jobs), tuple(shown)

    async def _watch(self) -> None:
        while True:
            self._wake = anyio.Event()  # before the look: what is added during it counts
            try:
                wake_at = await self._look()
            except HermesError as error:
                await self._work.failed(error)
                wake_at = self._timer.now_ms() + _LOOK_MS
            if wake_at is None:
                await self._wake.wait()
                continue
            async with anyio.create_task_group() as waiting:
                waiting.start_soon(self._wake_at, wake_at, self._wake)
                await self._wake.wait()
                waiting.cancel_scope.cancel()

    async def _wake_at(self, at_ms: int, wake: anyio.Event) -> None:
        await self._timer.sleep_until(at_ms)
        wake.set()

    async def _look(self) -> int | None:
        now = self._timer.now_ms()
        for job in await self._ledger.due(now):
            await self._take(job, now)
        jobs = await self._ledger.list()
        ahead = [job.next_due for job in jobs if job.state == "active" and job.next_due is not None]
        return min(*ahead, now + _LOOK_MS) if ahead else None

    async def _take(self, job: Job, now_ms: int) -> None:
        assert job.next_due is not None
        try:
            plan = await anyio.to_thread.run_sync(_plan, job, now_ms)
        except Usage as error:  # what is stored cannot be read: said once, then it rests
            await self._record(job, job.next_due, ("failed", error.message))
            plan = Plan(None, (), None)
        for slot, note in plan.missed:
            await self._record(job, slot, ("missed", note))
        if plan.run is not None and job.id in self._running:
            await self._record(job, plan.run, ("skipped", "the run before it was still going"))
        elif plan.run is not None:
            run = await self._ledger.claim(job.id, plan.run)
            if run is not None:
                self._running[job.id] = anyio.CancelScope()
                self._tasks.start_soon(self._run, job, run, plan.run)
        await self._ledger.set_next(job.id, plan.next_due)

    async def _record(self, job: Job, slot: int, ending: Ending) -> None:
        run = await self._ledger.claim(job.id, slot)
        if run is not None:
            await self._end(job, run, slot, ending)

    async def _run(self, job: Job, run: RunId, slot: int) -> None:
        ending: Ending = ("failed", _INTERRUPTED)
        try:
            with self._running[job.id] as scope:
                async with self._places:
                    ending = await self._bounded(job, run)
            if scope.cancelled_caught:
                ending = ("failed", "the job was cancelled")
        finally:
            del self._running[job.id]
            with anyio.CancelScope(shield=True):
                try:
                    await self._end(job, run, slot, ending)
                except HermesError as error:  # the next start finds the run unfinished
                    await self._work.failed(error)

    async def _bounded(self, job: Job, run: RunId) -> Ending:
        ending: Ending = ("failed", f"not done within {self._run_ms / 1000:g} s")
        async with anyio.create_task_group() as bounded:
            bounded.start_soon(self._cancel_at, self._timer.now_ms() + self._run_ms, bounded)
            ending = await self._executed(job, run)
            bounded.cancel_scope.cancel()
        return ending

    async def _cancel_at(self, at_ms: int, tasks: TaskGroup) -> None:
        await self._timer.sleep_until(at_ms)
        tasks.cancel_scope.cancel()

    async def _executed(self, job: Job, run: RunId) -> Ending:
        try:
            await self._ledger.run_state(run, "running")
            return "done", await self._work.execute(job)
        except HermesError as error:
            return "failed", error.message
        except Exception as error:  # noqa: BLE001 - a background task's edge: a bug ends this run
            await self._work.failed(error)
            return "failed", f"an error inside Hermes: {type(error).__name__}: {error}"

    async def _end(self, job: Job, run: RunId, slot: int, ending: Ending) -> None:
        state, text = ending
        kept = text if len(text) <= RESULT_CHARS else f"{text[:RESULT_CHARS]}\n[cut]"
        await self._ledger.run_state(run, state, kept)
        await self._work.report(job, slot, state, kept)


def _plan(job: Job, now_ms: int) -> Plan:
    assert job.next_due is not None
    return plan_due(details_of(job).trigger, job.next_due, now_ms)
