"""What a box shows and lets do: whatever honest work needs goes on in there."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from processes import until

from hermes.errors import NotAvailable, ToolFailure, Usage
from hermes.sandbox.box import Bind, Box, Limits, Wires
from hermes.sandbox.launch import ENV
from hermes.sandbox.standing import Standing, run, spare
from hermes.sandbox.weigh import weigh

WORK = """
import asyncio, sqlite3, subprocess, threading, tempfile, os

async def talk():
    async def answer(reader, writer):
        writer.write(await reader.readline())
        writer.close()
    server = await asyncio.start_server(answer, "localhost", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("localhost", port)
        writer.write(b"loopback\\n")
        print((await reader.read()).decode().strip())
        writer.close()

asyncio.run(talk())
db = sqlite3.connect("/box/work.db")
print(db.execute("pragma journal_mode=wal").fetchone()[0])
db.execute("create table t (x)")
db.commit()
done = []
many = [threading.Thread(target=done.append, args=(1,)) for _ in range(20)]
[one.start() for one in many]; [one.join() for one in many]
print(len(done), "threads")
print(subprocess.check_output(["sh", "-c", "echo child | tr a-z A-Z"], text=True).strip())
with tempfile.TemporaryDirectory() as folder:
    os.rename(open(folder + "/a", "w").name, folder + "/b")
    print(os.listdir(folder))
import getpass, random, ssl
print(getpass.getuser(), os.getcwd(), len(os.urandom(4)))
"""


def sh(text):
    return ["/bin/sh", "-c", text]


async def test_honest_work_goes_on(standing):
    argv = [standing.ground.python, "-I", "-S", "-"]
    ended = await run(standing, Box(), argv, Wires(stdin=WORK.encode()))
    assert ended.stderr == b""
    assert ended.stdout.decode().splitlines() == [
        "loopback", "wal", "20 threads", "CHILD", "['b']", "box /box 4",
    ]  # fmt: skip
    assert ended.ok
    assert ended.tier == standing.tier


async def test_no_ip_at_all_where_it_is_not_wanted(standing):
    text = "import socket; socket.socket()"
    argv = [standing.ground.python, "-I", "-S", "-c", text]
    assert (await run(standing, Box(), argv)).ok
    ended = await run(standing, Box(inet=False), argv)
    assert b"PermissionError" in ended.stderr


async def test_how_it_ended(standing):
    ended = await run(standing, Box(), sh("echo out; echo err >&2; exit 7"))
    assert (ended.why, ended.status, ended.ok) == ("exit", 7, False)
    assert (ended.stdout, ended.stderr) == (b"out\n", b"err\n")
    ended = await run(standing, Box(), sh("kill -SEGV $$"))
    assert (ended.why, ended.status) == ("signal", -11)


async def test_output_is_told_as_it_comes(standing):
    told = []
    await run(
        standing,
        Box(),
        sh("echo a; echo b >&2"),
        on_output=lambda name, data: told.append((name, data)),
    )
    assert sorted(told) == [("stderr", b"b\n"), ("stdout", b"a\n")]


async def test_a_long_input_comes_in_whole(standing):
    data = os.urandom(1 << 20)
    ended = await run(standing, Box(), ["/usr/bin/sha256sum"], Wires(stdin=data))
    assert len(ended.stdout.split()[0]) == 64
    ended = await run(standing, Box(), ["/usr/bin/wc", "-c"], Wires(stdin=data))
    assert ended.stdout == b"1048576\n"


async def test_input_that_nobody_reads_holds_nothing_up(standing):
    with anyio.fail_after(20):
        assert (await run(standing, Box(), ["/bin/true"], Wires(stdin=bytes(4 << 20)))).ok


async def test_long_words_come_in_whole(standing):
    word = "ä" * 50_000
    ended = await run(standing, Box(), ["/usr/bin/printf", "%s", word])
    assert ended.stdout.decode() == word


async def test_its_environment_is_its_own(standing):
    ended = await run(standing, Box(env={"A": "b=c\nd", "LANG": "C"}), ["/usr/bin/env", "-0"])
    seen = dict(pair.split("=", 1) for pair in ended.stdout.decode().strip("\0").split("\0"))
    assert seen["A"] == "b=c\nd"
    assert seen["LANG"] == "C"
    assert seen["HOME"] == "/box/home"
    assert set(seen) == {*ENV, "A"}


async def test_what_is_shown_can_be_read_and_not_written(standing, open_folder):
    (open_folder / "data").write_text("shown")
    box = Box(read=(Bind(open_folder, Path("/box/in")), Bind.same(open_folder / "data")))
    text = f"cat /box/in/data {open_folder}/data; echo x >>/box/in/data; rm {open_folder}/data"
    ended = await run(standing, box, sh(text))
    assert ended.stdout == b"shownshown"
    assert not ended.ok
    assert (open_folder / "data").read_text() == "shown"


async def test_an_inherited_socket_reaches_a_broker(standing):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        text = f"read word <&{theirs.fileno()}; echo got $word >&{theirs.fileno()}"
        ours.sendall(b"hello\n")
        ended = await run(
            standing, Box(), ["/bin/bash", "-c", text], Wires(keep=(theirs.fileno(),))
        )
        assert ended.ok, ended
        assert ours.recv(64) == b"got hello\n"


async def test_streams_can_be_the_callers_own(standing):
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as text:
        ended = await run(standing, Box(), sh("echo mine"), Wires(stdout=writer))
        os.close(writer)
        assert await anyio.to_thread.run_sync(text.read) == b"mine\n"
    assert ended.stdout == b""


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_no_descriptor_is_left(standing):
    await run(standing, Box(), ["/bin/true"])
    before = descriptors()
    for _ in range(3):
        await run(standing, Box(), ["/bin/true"])
    assert descriptors() == before


OWNER = """
import sys
import anyio
from hermes.sandbox.box import Box, Wires
from hermes.sandbox.standing import examine, run

async def begin(standing):
    while True:
        await run(standing, Box(), ["/bin/true"], Wires(stdout=1))

async def main():
    standing = await examine()
    print("begins", file=sys.stderr, flush=True)
    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(begin, standing)

anyio.run(main)
"""


def writers(path):
    """Who has a file for standard output."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/fd/1"):
        with contextlib.suppress(OSError):
            if entry.readlink() == path:
                found.append(int(entry.parts[2]))
    return found


async def test_an_owner_that_is_killed_while_boxes_start_leaves_next_to_nothing(standing, tmp_path):
    """bubblewrap leaves a sleeping process where it is killed within the same microseconds."""
    out = tmp_path / "out"
    for number in range(12):
        with out.open("wb") as file:
            words = [sys.executable, "-c", OWNER]
            owner = await anyio.open_process(words, stdout=file, stderr=subprocess.PIPE)
        async with owner:
            await owner.stderr.receive()
            await anyio.sleep(number / 200)  # each at another point of their start
            owner.kill()
    try:
        await until(lambda: len(writers(out)) <= 2)
    finally:
        for one in writers(out):
            os.kill(one, signal.SIGKILL)


async def test_a_command_that_is_not_there_is_said(standing):
    with pytest.raises(ToolFailure, match="cannot run nothing-such: No such file"):
        await run(standing, Box(), ["nothing-such"])
    with pytest.raises(ToolFailure, match="cannot run"):
        await run(standing, Box(cwd="/nowhere"), ["/bin/true"])


@pytest.mark.parametrize("path", ["/", "/usr", "/box", "/proc", "relative", "/tmp/../usr", "/run"])
async def test_a_view_that_covers_the_sandbox_itself_is_refused(standing, tmp_path, path):
    with pytest.raises(Usage):
        await run(standing, Box(read=(Bind(tmp_path, Path(path)),)), ["/bin/true"])


async def test_a_view_that_is_not_there_is_said(standing, tmp_path):
    with pytest.raises(NotAvailable, match="does not start"):
        await run(standing, Box(read=(Bind.same(tmp_path / "lost"),)), ["/bin/true"])


async def test_many_at_once(standing):
    found = []

    async def one(number):
        found.append((await run(standing, Box(), sh(f"echo {number}"))).stdout)

    async with anyio.create_task_group() as group:
        for number in range(8):
            group.start_soon(one, number)
    assert sorted(found) == [b"%d\n" % number for number in range(8)]


async def test_nothing_runs_where_the_tier_is_too_low(standing):
    for tier in ("B", "C"):
        low = Standing(tier, standing.ground, reason="no namespaces", remedy="do this")
        with pytest.raises(NotAvailable, match="needs A or A-") as caught:
            await run(low, Box(), ["/bin/true"])
        assert caught.value.remedy == "do this"
        assert caught.value.exit_code == 4


async def test_a_spare_waits_bound_and_runs_once_asked(standing):
    async with spare(standing, Box(env={"A": "b"})) as waiting:
        ended = await waiting.run(sh("echo $A; ulimit -n"))
    assert ended.stdout == b"b\n256\n"
    assert ended.ok


async def processes():
    return (await anyio.to_thread.run_sync(weigh, os.getpid())).processes


async def test_a_spare_that_is_not_wanted_is_gone(standing):
    before = await processes()
    async with spare(standing, Box()):
        assert await processes() > before
    assert await processes() == before


async def test_a_spare_that_cannot_start_says_so(standing, tmp_path):
    with pytest.raises(NotAvailable, match="does not start"):
        async with spare(standing, Box(read=(Bind.same(tmp_path / "lost"),))):
            pass


async def test_limits_reach_inside(standing):
    ended = await run(standing, Box(limits=Limits(open_files=77)), sh("ulimit -n"))
    assert ended.stdout == b"77\n"


async def test_a_nice_box_gives_way_between_sessions_too(standing):
    """Where each session is a group of its own, nice counts inside of one only."""
    text = "nice; cat /proc/self/autogroup 2>/dev/null || echo 'nice 7'"
    ended = await run(standing, Box(nice=7), ["/bin/sh", "-c", text])
    own, group = ended.stdout.decode().splitlines()
    assert int(own) == min(19, os.nice(0) + 7)
    assert group.endswith("nice 7")


async def test_an_idle_box_runs_when_nobody_else_does(standing):
    text = "import os; print(os.sched_getscheduler(0) == os.SCHED_IDLE)"
    ended = await run(standing, Box(idle=True), ["/usr/bin/python3", "-c", text])
    assert ended.stdout == b"True\n"
