import random
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from hermes.core.canonical import cid_of, link
from hermes.core.merkle import leaf_hash, root_of
from hermes.store.database import Database
from hermes.store.ledger import Ledger
from hermes.store.merkle_log import MerkleLog
from hermes.store.migrations import Plan
from hermes.store.schema import MIGRATIONS, plan
from hermes.store.statement import Statement
from tests.store.test_store_crash import ENVIRONMENT, HERE

ADD = "INSERT INTO blocks (cid, kind, data) VALUES (?, 'test', NULL)"


async def _run_and_kill(path: Path, lines: int, wait_s: float) -> str:
    """Kill the child some time after it has told so many lines; returns the last of them."""
    command = [sys.executable, str(HERE / "log_child.py"), str(path)]
    async with await anyio.open_process(command, env=ENVIRONMENT, stderr=None) as child:
        assert child.stdout is not None
        told = BufferedByteReceiveStream(child.stdout)
        for _ in range(lines):
            last = (await told.receive_until(b"\n", 1_000)).decode()
        await anyio.sleep(wait_s)  # a moment that nobody chose, inside whatever it does
        child.kill()
        await child.wait()
    return last


async def _agrees(path: Path) -> int:
    async with Database(path, plan("node"), companion=Ledger(path)) as database:
        names = [row[0] for row in await database.read("SELECT cid FROM blocks ORDER BY seq")]
        size, root = await MerkleLog(database).newest()
        assert size == len(names)
        assert root == root_of(leaf_hash(link(name)) for name in names)
        tiles = await database.read("SELECT count(*) FROM log_tiles WHERE level = 0")
        assert tiles == [(size // 256,)]
    return size


@pytest.mark.parametrize("times", [3, pytest.param(30, marks=pytest.mark.slow)])
async def test_blocks_and_log_stay_equal_however_often_it_is_killed(path, times):
    chance = random.Random(5)
    before = 0
    with anyio.fail_after(60 * times):
        for _ in range(times):
            acknowledged = await _run_and_kill(path, chance.randrange(2, 12), chance.random() / 50)
            size = await _agrees(path)
            assert size > before
            before = size
            with closing(sqlite3.connect(path)) as database:
                sql = "SELECT count(*) FROM blocks WHERE cid = ?"
                assert database.execute(sql, (acknowledged,)).fetchone() == (1,)


async def test_a_log_that_is_being_built_goes_on_after_a_kill(path):
    count = 60_000
    old = Plan(plan("node").application, MIGRATIONS[:1], plan("node").initial)
    async with Database(path, old) as database:
        for start in range(0, count, 10_000):
            numbers = range(start, start + 10_000)
            names = [cid_of(number.to_bytes(4, "big")) for number in numbers]
            await database.write(*(Statement(ADD, (name,), append=True) for name in names))
    kills = 0
    with anyio.fail_after(240):
        while await anyio.to_thread.run_sync(_logged, path) < count:
            await _run_and_kill(path, 1, 0.03 * kills)
            kills += 1
    assert kills > 1
    assert await _agrees(path) >= count


def _logged(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'log_state'").fetchone():
            return 0
        return int(database.execute("SELECT size FROM log_state").fetchone()[0])
