import os
import random
import sys
from pathlib import Path

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from hermes.store.store import Store

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


async def _write_and_die(path: Path, acknowledgements: int) -> list[str]:
    """The names that a writer acknowledged before it was killed."""
    command = [sys.executable, str(HERE / "crash_child.py"), str(path)]
    async with await anyio.open_process(command, env=ENVIRONMENT, stderr=None) as child:
        assert child.stdout is not None
        lines = BufferedByteReceiveStream(child.stdout)
        told = []
        try:
            while True:
                told.append((await lines.receive_until(b"\n", 1_000)).decode())
                if len(told) == acknowledgements:
                    child.kill()  # what is in the pipe was acknowledged too
        except anyio.IncompleteRead:
            await child.wait()
    return told


async def _kill_again_and_again(path: Path, clock, times: int) -> None:
    told: list[str] = []
    chance = random.Random(7)
    for _ in range(times):
        told += await _write_and_die(path, chance.randrange(1, 60))
        async with Store.open(path, clock) as store:
            for info in await store.conversations.list(1_000):
                await store.conversations.history(info.id)
            assert await store.integrity() == ()
            assert await store.verify() == ()
            count = (await store.size())["messages"]
            stored = set()
            for info in await store.conversations.list(10_000):
                stored |= {s.cid for s in await store.conversations.history(info.id)}
            assert len(stored) == count
            assert set(told) <= stored


async def test_what_was_acknowledged_survives_kills(path, clock):
    with anyio.fail_after(50):
        await _kill_again_and_again(path, clock, 8)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_what_was_acknowledged_survives_a_hundred_kills(path, clock):
    await _kill_again_and_again(path, clock, 100)


async def test_a_full_disk_costs_the_write_and_nothing_else(path, clock):
    with anyio.fail_after(30):
        ran = await anyio.run_process(
            [sys.executable, str(HERE / "full_child.py"), str(path)], env=ENVIRONMENT
        )
    kept, readable, messages, *problems = ran.stdout.decode().split()
    assert int(kept) > 0
    assert int(readable) == 1  # without parents, only the last message is the history
    assert int(messages) == int(kept) + 3
    assert problems == []
    async with Store.open(path, clock) as store:
        assert (await store.size())["messages"] == int(messages)
        assert await store.verify() == ()
