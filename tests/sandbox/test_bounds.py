"""Nothing takes more than its share: each greed inside a tight box, and outside to compare."""

import subprocess
import sys
import tempfile
from pathlib import Path

import anyio
import pytest
from aimed import ATTACKS, account_of
from processes import alive, until

from hermes.sandbox.box import Box, Limits, Wires
from hermes.sandbox.standing import run, run_alone

pytestmark = pytest.mark.slow
CODE = (ATTACKS / "hog.py").read_bytes()
MIB = 1 << 20
TIGHT = Limits(
    memory=96 * MIB, tree_memory=160 * MIB, processes=24, open_files=64, file=4 * MIB,
    disk=8 * MIB, inodes=300, cpu_s=2, wall_s=12.0, output=2 * MIB,
)  # fmt: skip
# What is taken, how much is tried, and how much there may be at most.
COUNTED = {
    "forks": (60, 24),
    "threads": (60, 24),
    "memory": (200, 96),
    "disk": (16, 8),
    "disk_in_box": (16, 8),
    "disk_in_shm": (16, 8),
    "disk_in_dev": (16, 0),
    "one_file": (8, 4),
    "inodes": (600, 300),
    "inodes_in_shm": (600, 300),
    "watchers": (40, 16),
    "descriptors": (120, 64),
}
# What is ended from outside, and with which word.
ENDED = {
    "tree": (240, "memory"),
    "shared": (240, "memory"),
    "flood": (4, "output"),
    "flood_errors": (4, "output"),
    "burn_in_children": (8, "cpu"),
    "wait": (30, "wall clock"),
    "deaf": (30, "wall clock"),
}
# What tier B does not bound, as docs/sandbox.md says, and what it bounds with the user's own.
FREE_IN_B = {"disk", "inodes", "watchers"}
SHARED_IN_B = {"forks", "threads"}
NOWHERE_ELSE = {"disk_in_box", "disk_in_dev", "wait", "deaf", "burn_in_children"}


def words(standing, name, amount):
    return [standing.ground.python, "-I", "-S", "-B", "-", name, str(amount)]


def got(text):
    return int(text.rpartition(b"got=")[2])


async def hog(standing, name, amount, **limits):
    box = Box(limits=Limits(**{**vars(TIGHT), **limits}))
    by = run_alone if standing.tier == "B" else run
    return await by(standing, box, words(standing, name, amount), Wires(stdin=CODE))


def outside(standing, name, amount):
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o777)
        done = subprocess.run(
            words(standing, name, amount), input=CODE, stdout=subprocess.PIPE, check=True, cwd="/",
            stderr=subprocess.DEVNULL, env={"TMPDIR": folder}, timeout=30, **account_of(standing),
        )  # fmt: skip
    return got(done.stdout)


@pytest.mark.parametrize("name", COUNTED)
async def test_no_more_than_its_share(standing, name):
    amount, most = COUNTED[name]
    ended = await hog(standing, name, amount)
    assert ended.why == "exit", ended
    assert got(ended.stdout) <= most
    assert most == 0 or got(ended.stdout) > most // 8, "nothing at all works in there"


@pytest.mark.parametrize("name", COUNTED)
async def test_in_tier_b_no_more_than_its_share_or_told_so(bare, name):
    amount, most = COUNTED[name]
    ended = await hog(bare, name, 400 if name in SHARED_IN_B else amount)
    assert ended.why == "exit", ended
    if name in SHARED_IN_B:  # others of that user may end meanwhile
        assert got(ended.stdout) < 400
    else:
        assert (got(ended.stdout) > most) == (name in FREE_IN_B)


@pytest.mark.parametrize("name", ENDED)
async def test_in_tier_b_ended_from_outside(bare, name):
    amount, why = ENDED[name]
    wall_s = 1.0 if why == "wall clock" else 12.0
    ended = await hog(bare, name, amount, wall_s=wall_s, processes=400)
    assert ended.why == why, ended
    assert len(ended.stdout) <= TIGHT.output


@pytest.mark.parametrize("name", [name for name in COUNTED if name not in NOWHERE_ELSE])
def test_more_is_there_outside(standing, name):
    amount, most = COUNTED[name]
    assert outside(standing, name, amount) > most


@pytest.mark.parametrize("name", ENDED)
async def test_ended_from_outside(standing, name):
    amount, why = ENDED[name]
    ended = await hog(standing, name, amount, wall_s=1.0 if why == "wall clock" else 12.0)
    assert ended.why == why, ended
    assert not ended.ok
    assert len(ended.stdout) <= TIGHT.output
    assert len(ended.stderr) <= TIGHT.output


@pytest.mark.parametrize("name", [name for name in ENDED if name not in NOWHERE_ELSE])
def test_not_ended_outside(standing, name):
    assert outside(standing, name, ENDED[name][0]) > 0


async def test_one_process_cannot_burn_on(standing):
    ended = await hog(standing, "burn", 10)
    assert ended.why in {"cpu", "signal"}, ended


async def test_what_a_run_took_is_said(standing):
    ended = await hog(standing, "shared", 64)
    assert ended.why == "exit"
    assert ended.peak > 48 * MIB


DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for fd in (0, 1, 2):
            os.close(fd)
        time.sleep({mark})
    os._exit(0)
print("left", flush=True)
time.sleep({linger})
"""


def daemon(standing, mark, linger=0):
    return [standing.ground.python, "-I", "-S", "-c", DAEMON.format(mark=mark, linger=linger)]


async def test_a_daemon_ends_with_its_run(standing, mark):
    ended = await run(standing, Box(), daemon(standing, mark))
    assert ended.stdout == b"left\n"
    await until(lambda: not alive(mark))


async def test_a_cancelled_run_leaves_nothing(standing, mark):
    seen = anyio.Event()

    async with anyio.create_task_group() as group:

        async def attempt():
            argv = daemon(standing, mark, linger=60)
            await run(standing, Box(), argv, on_output=lambda *_: seen.set())

        group.start_soon(attempt)
        with anyio.fail_after(10):
            await seen.wait()
        assert alive(mark)
        group.cancel_scope.cancel()
    await until(lambda: not alive(mark))


PARENT = """
import anyio, sys
from hermes.sandbox.box import Box
from hermes.sandbox.standing import examine, run

async def main():
    argv = sys.argv[1:]
    await run(await examine(), Box(), argv, on_output=lambda *_: print("runs", flush=True))

anyio.run(main)
"""


async def test_when_its_parent_is_killed_it_dies_too(standing, mark):
    argv = daemon(standing, mark, linger=60)
    parent = await anyio.open_process([sys.executable, "-c", PARENT, *argv], cwd=Path.cwd())
    async with parent:
        with anyio.fail_after(20):
            await parent.stdout.receive()
        parent.kill()
    await until(lambda: not alive(mark))
