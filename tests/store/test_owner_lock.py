import os
import sys

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from hermes.errors import StoreReadOnly
from hermes.store.lock import OwnerLock

HOLD = """
import sys
from pathlib import Path
from hermes.store.lock import OwnerLock
lock = OwnerLock(Path(sys.argv[1]))
print(lock.try_acquire(), flush=True)
sys.stdin.read()
"""


async def test_the_lock_is_held_until_its_owner_is_killed(tmp_path):
    lock = OwnerLock(tmp_path / "data")
    async with await anyio.open_process(
        [sys.executable, "-c", HOLD, str(tmp_path / "data")]
    ) as owner:
        assert owner.stdout is not None
        told = BufferedByteReceiveStream(owner.stdout)
        assert await told.receive_until(b"\n", 100) == b"True"
        assert not await anyio.to_thread.run_sync(lock.try_acquire)
        assert await anyio.to_thread.run_sync(lock.holder) == owner.pid
        owner.kill()
        await owner.wait()
    assert await anyio.to_thread.run_sync(lock.try_acquire)
    assert lock.held
    assert await anyio.to_thread.run_sync(lock.holder) == os.getpid()
    lock.release()
    assert (tmp_path / "data" / "owner.lock").exists()


def test_two_locks_in_one_process_exclude_each_other(tmp_path):
    first, second = OwnerLock(tmp_path), OwnerLock(tmp_path)
    assert first.try_acquire()
    assert first.try_acquire()
    assert not second.try_acquire()
    assert not second.held
    first.release()
    first.release()
    assert second.try_acquire()
    second.release()


async def test_a_child_does_not_keep_the_lock(tmp_path):
    lock, other = OwnerLock(tmp_path), OwnerLock(tmp_path)
    assert await anyio.to_thread.run_sync(lock.try_acquire)
    async with await anyio.open_process(
        [sys.executable, "-c", "import sys; sys.stdin.read()"]
    ) as child:
        lock.release()
        assert await anyio.to_thread.run_sync(other.try_acquire)
        child.kill()
    other.release()


def test_only_the_owner_can_look_inside(tmp_path):
    lock = OwnerLock(tmp_path / "data")
    assert lock.try_acquire()
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data" / "owner.lock").stat().st_mode & 0o777 == 0o600
    lock.release()


def test_a_place_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    lock = OwnerLock(tmp_path / "file")
    with pytest.raises(StoreReadOnly, match=r"file/owner\.lock"):
        lock.try_acquire()
    assert lock.holder() is None
