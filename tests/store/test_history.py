"""The historian's transaction: whole or not done, by two at once, and across kill -9."""

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from hermes.memory.historian import Historian
from hermes.store.claim import Claim, Subject
from hermes.store.promotion import Again, End, Keep, Read
from hermes.store.store import Store
from tests.memory.person import PROJECT, Nobody, known, said

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def claim(content: str, read: Read, **more) -> Claim:
    return Claim(
        project_hash=PROJECT, memory_type="fact", content=content, key=content, session="s",
        cid="a message", rule="remember", at=1, subjects=(Subject("k", content),), **more,
    )  # fmt: skip


async def test_a_plan_that_grew_old_writes_nothing(store, clock):
    await said(store, clock, "hello")
    ((talk,), _) = await store.history.unread(0)
    plan = [Keep(claim("one", talk.read), "new")]
    assert await store.history.promote([talk.read], plan)
    assert not await store.history.promote([talk.read], [Keep(claim("two", talk.read), "new")])
    assert await known(store) == {"one"}
    assert (await store.history.unread(0)).talks == ()


async def test_what_replaces_a_memory_that_is_gone_is_refused(store, clock):
    await said(store, clock, "hello")
    ((talk,), _) = await store.history.unread(0)
    old = await store.memory.add(PROJECT, "fact", "old")
    (name,) = [one.cid for one in await store.history.known(PROJECT)]
    await store.memory.forget(old)
    plan = [Keep(claim("new", talk.read), "new", replaces=name)]
    assert not await store.history.promote([talk.read], plan)
    assert not await store.history.promote([talk.read], [End(name)])
    assert not await store.history.promote([talk.read], [Again(name, claim("x", talk.read))])
    assert await known(store) == set()
    assert len((await store.history.unread(0)).talks) == 1


async def test_a_chain_within_one_plan(store, clock):
    plan = [
        Keep(claim("one", None), "a"),
        Keep(claim("two", None), "b", replaces="a"),
        Again("b", claim("two", None)),
        Keep(claim("three", None), "c", replaces="b"),
    ]
    assert await store.history.promote([], plan)
    assert await known(store) == {"three"}
    (one,) = await store.history.known(PROJECT)
    assert one.subjects == (Subject("k", "three"),)
    assert await store.verify() == ()


async def test_two_historians_at_once_double_nothing(store, clock):
    for number in range(40):
        await said(store, clock, f"Remember that box {number} holds tools.")
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(Historian(store, clock, Nobody(), 0).run, 30)
    memories = await store.memory.list(PROJECT, 100)
    assert len(memories) == 40
    assert {memory.relevance_score for memory in memories} == {1.0}


async def test_forgetting_takes_the_words_out_of_the_subjects(path, clock):
    async with Store.open(path, clock) as store:
        plan = [Keep(claim("unmistakable-needle", None), "a")]
        assert await store.history.promote([], plan)
        (memory,) = await store.memory.list(PROJECT)
        await store.memory.forget(memory.id)
        assert await store.verify() == ()
    assert b"needle" not in path.read_bytes()


async def test_a_damaged_block_stops_nothing(path, clock):
    async with Store.open(path, clock) as store:
        await said(store, clock, "We never squash merge.")
    with closing(sqlite3.connect(path)) as database, database:
        sql = """UPDATE blocks SET data = x'00' WHERE cid IN (
            SELECT cid FROM messages WHERE role = 'assistant')"""
        assert database.execute(sql).rowcount == 1
    async with Store.open(path, clock) as store:
        await Historian(store, clock, Nobody(), 0).run(30)
        assert await known(store) == {"We never squash merge"}


async def _killed(path: Path, after: int) -> int:
    """Run a historian that is killed while it promotes; returns how many pages it told of."""
    command = [sys.executable, str(HERE / "history_child.py"), str(path), str(after)]
    async with await anyio.open_process(command, env=ENVIRONMENT, stderr=None) as child:
        assert child.stdout is not None
        async for _ in child.stdout:
            child.kill()
            break
        await child.wait()
    return child.returncode or 0


@pytest.mark.slow
async def test_killed_in_the_middle_nothing_is_lost_or_doubled(path, clock):
    async with Store.open(path, clock) as store:
        for number in range(150):
            await said(store, clock, f"Remember that box {number} holds tools.")
    for delay_ms in (0, 20, 60, 120):
        await _killed(path, delay_ms)
    async with Store.open(path, clock) as store:
        await Historian(store, clock, Nobody(), 0).run(60)
        memories = await store.memory.list(PROJECT, 1_000)
        assert len(memories) == 150
        assert {memory.relevance_score for memory in memories} == {1.0}
        assert await store.verify() == ()
        assert await store.integrity() == ()
