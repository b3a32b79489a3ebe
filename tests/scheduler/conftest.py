from collections.abc import AsyncIterator
from pathlib import Path
from zoneinfo import ZoneInfo

import anyio
import pytest

from hermes.scheduler.jobs import Order
from hermes.scheduler.runner import Bounds, Scheduler, Work
from hermes.store.store import Store

BERLIN = ZoneInfo("Europe/Berlin")


class VirtualTimer:
    """Time that only moves when a test says so."""

    def __init__(self, now: int) -> None:
        self.now = now
        self._sleepers: list[tuple[int, anyio.Event]] = []

    def now_ms(self) -> int:
        return self.now

    async def sleep_until(self, at_ms: int) -> None:
        if at_ms > self.now:
            event = anyio.Event()
            self._sleepers.append((at_ms, event))
            await event.wait()

    def set(self, now: int) -> None:
        self.now = now
        for at_ms, event in self._sleepers:
            if at_ms <= now:
                event.set()
        self._sleepers = [s for s in self._sleepers if s[0] > now]

    def advance(self, seconds: float) -> None:
        self.set(self.now + round(seconds * 1000))


class World:
    """A store, a timer, and a scheduler's surroundings that can be told what runs do."""

    def __init__(self, store: Store, timer: VirtualTimer, root: Path) -> None:
        self.store = store
        self.timer = timer
        self.root = root
        self.executed: list[tuple[str, int]] = []
        self.errors: list[Exception] = []
        self.gates: dict[str, anyio.Event] = {}
        self.active = 0
        self._start, self._started = anyio.create_memory_object_stream[str](1000)
        self._send, self._reports = anyio.create_memory_object_stream[tuple[str, int, str, str]](
            1000
        )

    async def execute(self, job):
        self.executed.append((job.task, self.timer.now))
        self._start.send_nowait(job.task)
        self.active += 1
        try:
            if job.task in self.gates:
                await self.gates[job.task].wait()
            if job.task == "explode":
                raise ZeroDivisionError("boom")
            return f"did {job.task}"
        finally:
            self.active -= 1

    async def report(self, job, slot, state, text):
        await self._send.send((job.id, slot, state, text))

    async def failed(self, error):
        self.errors.append(error)

    async def reported(self, count: int) -> list[tuple[str, int, str, str]]:
        with anyio.fail_after(10):
            return [await self._reports.receive() for _ in range(count)]

    async def started(self) -> str:
        with anyio.fail_after(10):
            return await self._started.receive()

    def scheduler(self, **bounds) -> Scheduler:
        work = Work(self.execute, self.report, self.failed)
        return Scheduler(self.store.jobs, self.timer, work, Bounds(**bounds))

    def order(self, when: str, task: str = "tidy", **more) -> Order:
        return Order(when, task, self.root, self.root, BERLIN, **more)

    def close(self) -> None:
        self._send.close()
        self._reports.close()
        self._start.close()
        self._started.close()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    timer = VirtualTimer(1_795_251_600_000)  # Saturday 2026-11-21, 10:00 in Berlin
    async with Store.open(tmp_path / "store.db", timer) as store:
        made = World(store, timer, tmp_path)
        yield made
        made.close()
        assert made.errors == []
