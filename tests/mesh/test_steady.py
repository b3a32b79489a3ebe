"""A clock that is set: forward is nobody's business, back makes the mesh begin anew."""

import anyio
import pytest

from hermes.errors import MeshError
from hermes.mesh.health import MOST_MS, Health
from hermes.mesh.steady import set_back
from hermes.node.watch import Watch

HOUR = 3_600_000


class Set:
    """A clock that is set between two looks: `leaps` in turn, then it runs on."""

    def __init__(self, *leaps):
        self.leaps = list(leaps)
        self.now = 1_760_000_000_000
        self.looks = 0

    def now_ms(self):
        self.looks += 1
        if self.leaps and self.looks > 1:
            self.now += self.leaps.pop(0)
        return self.now + round(anyio.current_time() * 1000)


async def looked(clock, times):
    while clock.looks < times:  # noqa: ASYNC110 - a counter
        await anyio.sleep(0.001)


async def watched(clock, times):
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(set_back, clock, anyio.current_time, 0.001)
        await looked(clock, times)
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("leaps", [(HOUR,), (HOUR, HOUR), (-1_500, -1_500, 10_000, -1_500)])
async def test_forward_and_a_little_back_is_nothing(leaps):
    clock = Set(*leaps)
    with anyio.fail_after(20):
        await watched(clock, 10)
    assert clock.leaps == []


@pytest.mark.parametrize("leaps", [(-HOUR,), (HOUR, -HOUR), (0, 0, -2_500)])
async def test_back_is_told(leaps):
    clock = Set(*leaps)
    with anyio.fail_after(20), pytest.raises(ExceptionGroup) as caught:
        await watched(clock, 10)
    (error,) = caught.value.exceptions
    assert isinstance(error, MeshError)
    assert error.message.startswith("the clock was set back by")
    assert ("60 min" in error.message) == (HOUR in {abs(leap) for leap in leaps})


@pytest.mark.parametrize("at", [3, 4])
async def test_a_process_that_was_stopped_between_two_looks_is_no_clock_that_was_set(at):
    """Its time goes on, between one reading and the next: so it does for who is busy."""
    calls = []

    def steady():
        calls.append(1)
        if len(calls) == at:
            clock.now += 5_000
        return anyio.current_time() + (5.0 if len(calls) >= at else 0.0)

    clock = Set()
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(set_back, clock, steady, 0.001)
            await looked(clock, 10)
            tasks.cancel_scope.cancel()


async def test_what_watches_its_clock_begins_anew():
    told, begun = [], []
    clock = Set(0, -HOUR)

    async def part(say):
        begun.append(clock.looks)
        say("runs")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(set_back, clock, anyio.current_time, 0.001)

    watch = Watch(told.append, lambda *_: None)
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch.keep, "mesh", part)
            while len(begun) < 2:  # noqa: ASYNC110 - a list that the part fills
                await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
    (fell,) = (one for one in told if not one.runs)
    assert fell.says == "the clock was set back by 60 min: the mesh begins anew"
    assert fell.falls == 1


def test_a_relay_is_not_left_alone_for_longer_because_the_clock_was_set_back():
    now = 1_760_000_000_000
    health = Health().failed(now, "gone")
    assert not health.usable(now)
    assert not health.usable(now - MOST_MS // 2)
    assert health.usable(now - HOUR)
