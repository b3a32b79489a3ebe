"""Each tier as a machine would have it, and nothing that slips from one to the next."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from processes import alive, until

from hermes.errors import NotAvailable
from hermes.sandbox.box import Box, Limits, Wires
from hermes.sandbox.ground import Ground, find_ground
from hermes.sandbox.selftest import Axis
from hermes.sandbox.standing import examine_ground, run, run_alone


async def test_every_axis_holds_and_was_shown_to_be_open_outside(standing):
    names = {one.name for one in standing.axes}
    assert {"files", "network", "processes", "memory", "inodes", "wall clock"} <= names
    assert all(one.held for one in standing.axes)
    shown = {one.name for one in standing.axes if one.control}
    assert names - shown <= {"vsock", "namespaces"}  # not every kernel has them


async def test_without_landlock_it_is_a_minus(standing):
    found = await examine_ground(replace(standing.ground, landlock=0))
    assert found.tier == "A-"
    assert [one.name for one in found.axes if not one.held] == ["landlock"]
    assert "Landlock" in found.remedy
    assert (await run(found, Box(), ["/bin/true"])).tier == "A-"


async def test_without_the_outer_namespace_only_inodes_are_open(standing):
    found = await examine_ground(replace(standing.ground, staged=False))
    assert found.tier == "A"
    assert [one.name for one in found.axes if not one.held] == ["inodes"]
    assert "number of files" in found.reason


async def test_no_bubblewrap_and_no_landlock_is_c(ground):
    found = await examine_ground(replace(ground, bwrap="", landlock=0))
    assert found.tier == "C"
    assert "install bubblewrap" in found.remedy
    with pytest.raises(NotAvailable):
        await run_alone(found, Box(), ["/bin/true"])


async def test_a_bubblewrap_that_fails_is_not_taken_for_one(ground):
    found = await examine_ground(replace(ground, bwrap="/bin/false"))
    assert found.tier in {"B", "C"}
    assert "user namespaces" in found.remedy


async def test_b_holds_what_it_says(bare):
    assert bare.tier == "B"
    lost = {one.name for one in bare.axes if not one.held}
    assert lost <= {"disk", "inodes"}
    with pytest.raises(NotAvailable, match="tier B"):
        await run(bare, Box(), ["/bin/true"])


async def test_b_runs_one_command(bare):
    text = "pwd; echo x > f; cat f; echo $HOME; cat; exit 5"
    ended = await run_alone(bare, Box(), ["/bin/sh", "-c", text], Wires(stdin=b"in"))
    folder, content, home, last = ended.stdout.decode().splitlines()
    assert folder == home
    assert (content, last) == ("x", "in")
    assert (ended.why, ended.status, ended.tier) == ("exit", 5, "B")
    assert not Path(folder).exists()  # noqa: ASYNC240 - one look


async def test_b_shows_no_workspace(bare, tmp_path):
    with pytest.raises(NotAvailable, match="no workspace"):
        await run_alone(bare, Box(workspace=tmp_path), ["/bin/true"])


LEAVES = "import os, time\nif os.fork() == 0:\n os.setsid()\n if os.fork() == 0: time.sleep({0})\n"


async def test_b_sweeps_what_a_command_leaves(bare, mark):
    argv = [bare.ground.python, "-I", "-S", "-c", LEAVES.format(mark)]
    ended = await run_alone(bare, Box(limits=Limits(wall_s=15)), argv)
    assert ended.why == "exit"
    await until(lambda: not alive(mark))


async def test_b_ends_what_takes_too_long(bare, mark):
    argv = [bare.ground.python, "-I", "-S", "-c", LEAVES.format(mark) + "time.sleep(60)"]
    ended = await run_alone(bare, Box(limits=Limits(wall_s=1)), argv)
    assert ended.why == "wall clock"
    await until(lambda: not alive(mark))


async def test_a_command_cannot_reach_its_keeper_in_b(bare):
    text = "kill -9 $PPID; echo still here"
    ended = await run_alone(bare, Box(), ["/bin/sh", "-c", text])
    assert ended.stdout == b"still here\n"


NO_NAMESPACES = """
import anyio
from hermes.sandbox.ground import find_ground
from hermes.sandbox.standing import examine

found = anyio.run(examine)
print(found.tier, "|", found.reason, "|", found.remedy)
"""


def test_a_machine_without_user_namespaces(standing):
    """As a container has it: bubblewrap is there and may not."""
    account = standing.ground.account
    drop = {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
    done = subprocess.run(
        [standing.ground.bwrap, "--dev-bind", "/", "/", "--unshare-user", "--disable-userns",
         "--uid", "1000", "--gid", "1000", sys.executable, "-c", NO_NAMESPACES],
        capture_output=True, text=True, check=False, cwd="/", **drop,
    )  # fmt: skip
    if "Permission denied" in done.stderr or "ModuleNotFoundError" in done.stderr:
        pytest.skip("another user cannot run this checkout")
    tier, reason, remedy = done.stdout.strip().split(" | ")
    assert tier in {"B", "C"}
    assert "does not start" in reason
    assert "user namespaces" in remedy


def test_words_of_an_axis():
    assert Axis("a", held=True, control=True).word == "held"
    assert Axis("a", held=False, control=True).word == "OPEN"
    assert "not shown" in Axis("a", held=True, control=False).word


def test_the_ground_is_found_in_the_systems_own_places(ground, monkeypatch, tmp_path):
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert isinstance(ground, Ground)
    assert find_ground().bwrap == ground.bwrap
