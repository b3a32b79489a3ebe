"""What one turn may use."""

import anyio
import pytest

from hermes.config import Limits
from hermes.conversation.limits import Meter
from hermes.core.ids import CallId
from hermes.core.message import ToolCall
from hermes.core.model import ModelUsage
from hermes.errors import TurnLimitReached


def _call(arguments: str = "{}") -> ToolCall:
    return ToolCall(CallId("x"), "Bash", arguments)


def test_steps_run_out():
    meter = Meter(Limits(steps=2))
    meter.step()
    meter.step()
    with pytest.raises(TurnLimitReached, match="2 steps"):
        meter.step()


def test_a_request_can_only_lower_the_steps():
    meter = Meter(Limits(steps=2), max_steps=9)
    meter.step()
    meter.step()
    with pytest.raises(TurnLimitReached):
        meter.step()


def test_identical_calls_run_out_across_steps():
    meter = Meter(Limits(repeats=2))
    meter.calls([_call(), _call('{"a": 1}')])
    meter.calls([_call()])
    with pytest.raises(TurnLimitReached, match="same call"):
        meter.calls([_call()])


def test_cached_tokens_cost_nothing():
    meter = Meter(Limits(tokens=100))
    meter.spend(ModelUsage(prompt=5_000, cached=4_950, completion=40))
    with pytest.raises(TurnLimitReached, match="tokens"):
        meter.spend(ModelUsage(prompt=20, completion=0))


async def test_wall_time_ends_the_turn():
    meter = Meter(Limits(wall_s=0.01))
    with pytest.raises(TurnLimitReached, match="longer than"), meter.wall():
        await anyio.sleep_forever()


async def test_people_who_wait_together_stop_one_clock():
    meter = Meter(Limits(wall_s=0.2))

    async def wait():
        with meter.waiting():
            await anyio.sleep(0.3)

    async def turn():
        with meter.wall():
            async with anyio.create_task_group() as tasks:
                for _ in range(20):
                    tasks.start_soon(wait)
            await anyio.sleep_forever()

    with anyio.fail_after(2), pytest.raises(TurnLimitReached):
        await turn()


async def test_waiting_for_a_person_is_free():
    meter = Meter(Limits(wall_s=0.05, approval_s=5))
    with meter.wall():
        with meter.waiting():
            await anyio.sleep(0.1)
        await anyio.lowlevel.checkpoint()
