import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from processes import alive, until

from hermes.errors import ToolFailure
from hermes.sandbox.shell import Shell


async def test_output_and_status(shell, command):
    finished = await shell.run(command("echo hi; echo there >&2; exit 3"))
    assert (finished.status, finished.output) == (3, b"hi\nthere\n")
    assert not finished.timed_out
    assert not finished.truncated


async def test_a_signal_is_a_negative_status(shell, command):
    assert (await shell.run(command("kill -SEGV $$"))).status == -signal.SIGSEGV


async def test_its_own_session_no_stdin_no_descriptors_default_signals(shell, command):
    finished = await shell.run(
        command("cat; ls /proc/self/fd; ps -o sid= -p $$; grep -E 'Sig(Ign|Blk)' /proc/self/status")
    )
    lines = finished.output.decode().split("\n")
    assert lines[:4] == ["0", "1", "2", "3"]  # 3 is ls's own
    assert int(lines[4]) != os.getsid(0)
    # make leaves 32 and 33 ignored, which libc keeps for itself: nobody can set them back.
    libc_own = 0b11 << 31
    assert [int(line.split()[1], 16) & ~libc_own for line in lines[5:7]] == [0, 0]


async def test_only_the_given_environment(shell, command, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "leak")
    finished = await shell.run(command("env; cat /proc/$PPID/environ /proc/$PPID/../self/environ"))
    assert b"leak" not in finished.output
    assert b"TERM=dumb" in finished.output


async def test_stdin(shell, command):
    assert (await shell.run(command("cat", stdin="hé\udcff"))).output == b"h\xc3\xa9\xff"


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (("nosuchprogram",), "No such file"),
        (("ls", "a\0b"), "null byte"),
        (("ls", "\ud800"), "utf"),
    ],
)
async def test_what_cannot_start_says_why(shell, command, argv, reason):
    with pytest.raises(ToolFailure, match=reason):
        await shell.run(replace(command(""), argv=argv))


async def test_a_missing_directory_says_so(shell, command, tmp_path):
    with pytest.raises(ToolFailure, match="No such file"):
        await shell.run(replace(command("ls"), cwd=tmp_path / "gone"))


async def test_a_flood_is_dropped_not_kept(shell, command):
    finished = await shell.run(command("echo first; seq 2000000; echo last", cap_bytes=1_000))
    assert finished.truncated
    assert finished.output.startswith(b"first\n1\n")
    assert finished.output.endswith(b"2000000\nlast\n")
    assert b"bytes left out]" in finished.output
    assert len(finished.output) < 1_100
    assert finished.lines == 2_000_002


async def test_output_is_told_as_it_comes(shell, command, tmp_path):
    os.mkfifo(tmp_path / "go")
    seen = []

    def heard(piece: bytes) -> None:
        seen.append(piece)
        if b"ready" in piece:
            fd = os.open(tmp_path / "go", os.O_RDWR | os.O_NONBLOCK)
            os.write(fd, b"\n")
            done.append(fd)

    done: list[int] = []
    with anyio.fail_after(10):
        finished = await shell.run(command("echo ready; read x <go; echo over"), heard)
    os.close(done[0])
    assert b"".join(seen) == finished.output == b"ready\nover\n"


async def test_time_out_keeps_what_was_said_and_kills(shell, command, mark):
    finished = await shell.run(command(f"echo a; sleep {mark}", timeout_s=0.2))
    assert (finished.timed_out, finished.output) == (True, b"a\n")
    assert alive(mark) == []


@pytest.mark.parametrize(
    "text",
    [
        "sleep {0} &",
        "setsid sleep {0} & true",
        "nohup sleep {0} >/dev/null 2>&1 & disown",
        "(setsid setsid sleep {0} &) ; (nohup bash -c 'sleep {0}; :' &)",
        "trap '' TERM INT HUP; setsid bash -c 'trap \"\" TERM; sleep {0}; :' & true",
        "for i in $(seq 50); do setsid sleep {0} & done",
        "for i in $(seq 50); do (bash -c 'sleep {0} & sleep {0} & wait' &) ; done",
    ],
)
async def test_nothing_survives_a_commands_end(shell, command, mark, text):
    with anyio.fail_after(20):
        finished = await shell.run(command(text.format(mark)))
    assert finished.status == 0
    assert alive(mark) == []


async def test_a_double_forked_daemon_dies(shell, command, mark):
    daemon = (
        "import os,sys,time\n"
        "if os.fork(): sys.exit()\n"
        "os.setsid()\n"
        "if os.fork(): os._exit(0)\n"
        f"os.chdir('/'); os.closerange(0, 100); time.sleep({mark})"
    )
    await shell.run(replace(command(""), argv=(sys.executable, "-c", daemon)))
    assert alive(mark) == []


async def test_a_chain_of_forks_cannot_run_ahead(shell, command, mark):
    chain = f"import os\nfor _ in range(10**9):\n  os.fork() and os._exit(0) # {mark}"
    argv = (sys.executable, "-S", "-c", chain)
    with anyio.fail_after(20):
        await shell.run(replace(command(""), argv=argv, timeout_s=0.3))
    assert alive(mark) == []


async def test_cancelling_kills_the_tree_before_it_returns(shell, command, mark, tmp_path):
    text = f"sleep {mark} & setsid sleep {mark} & echo up >ready; wait"
    async with anyio.create_task_group() as group:
        group.start_soon(shell.run, command(text))
        await until(lambda: (tmp_path / "ready").exists() and len(alive(f"sleep\0{mark}")) == 2)
        group.cancel_scope.cancel()
    assert alive(mark) == []


async def test_many_at_once(shell, command):
    outputs = {}

    async def one(number: int) -> None:
        outputs[number] = (await shell.run(command(f"echo {number}; exit {number}"))).status

    async with anyio.create_task_group() as group:
        for number in range(30):
            group.start_soon(one, number)
    assert outputs == {number: number for number in range(30)}


async def test_a_killed_guard_is_replaced_and_its_commands_stay_under_control(
    shell, command, mark, tmp_path
):
    results = []

    async def first() -> None:
        text = f"setsid sleep {mark} & echo up >ready; read x <gate; echo done"
        results.append(await shell.run(command(text)))

    os.mkfifo(tmp_path / "gate")
    gate = os.open(tmp_path / "gate", os.O_RDWR)
    async with anyio.create_task_group() as group:
        group.start_soon(first)
        await until((tmp_path / "ready").exists)
        old = shell.guard_pid
        os.kill(old, signal.SIGKILL)
        assert (await shell.run(command("echo again"))).output == b"again\n"
        assert shell.guard_pid != old
        os.write(gate, b"\n")
    os.close(gate)
    assert (results[0].status, results[0].output) == (0, b"done\n")
    assert alive(mark) == []


async def test_the_orphans_of_a_killed_keeper_are_swept(shell, command, mark):
    await shell.run(
        command(f"setsid sleep {mark} & setsid sleep {mark} & kill -9 $PPID; sleep {mark}")
    )
    await until(lambda: alive(mark) == [])


async def test_the_guard_goes_with_its_owner(command):
    async with Shell() as shell:
        await shell.run(command("true"))
        pid = shell.guard_pid
    await until(lambda: not Path(f"/proc/{pid}").exists())


async def test_no_guard_before_the_first_command():
    async with Shell() as shell:
        assert shell.guard_pid is None


OWNER = """
import os, sys
from pathlib import Path
import anyio
from hermes.sandbox.shell import Command, Shell
async def main():
    async with Shell() as shell:
        async with anyio.create_task_group() as group:
            for text in sys.argv[1:]:
                command = Command(("bash", "-c", text), Path("/"), dict(os.environ))
                group.start_soon(shell.run, command)
anyio.run(main)
"""


@pytest.mark.parametrize("guard_too", [False, True])
async def test_kill_9_of_the_owner_leaves_nothing(mark, guard_too):
    texts = [
        f"sleep {mark}",
        f"setsid sleep {mark} & nohup sleep {mark} & wait",
        f"trap '' TERM HUP; for i in 1 2 3 4 5; do (setsid sleep {mark} &) ; done; sleep {mark}",
    ]
    owner = await anyio.open_process([sys.executable, "-c", OWNER, *texts], stdin=None)
    await until(lambda: len(alive(f"sleep\0{mark}")) == 9)
    if guard_too:
        (guard,) = [pid for pid in alive("guard.py") if parent(pid) == owner.pid]
        os.kill(guard, signal.SIGKILL)
    owner.kill()
    await owner.wait()
    await until(lambda: alive(mark) == [], 5)
    await until(lambda: [pid for pid in alive("guard.py") if parent(pid) == owner.pid] == [], 5)
    await owner.aclose()


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def parent(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        return int(stat.rpartition(")")[2].split()[1])
    except OSError:
        return 0


async def test_limits_reach_the_command(command):
    async with Shell({"FSIZE": 4096}) as shell:
        finished = await shell.run(command("head -c 100000 /dev/zero >big; echo $?; ulimit -c"))
    assert finished.output.split()[-1] == b"0"
    assert b"153" in finished.output  # 128 + SIGXFSZ


async def test_cancelled_at_any_moment_nothing_leaks(command, mark):
    """A hundred runs, cancelled after a growing number of laps of the event loop."""
    async with Shell() as shell:
        await shell.run(command("true"))
        before = open_descriptors()
        for laps in range(100):
            async with anyio.create_task_group() as group:
                group.start_soon(shell.run, command(f"setsid sleep {mark} & sleep {mark}"))
                for _ in range(laps):
                    await anyio.lowlevel.checkpoint()
                group.cancel_scope.cancel()
            assert alive(f"sleep\0{mark}") == []
        assert open_descriptors() == before
        assert (await shell.run(command("echo fine"))).output == b"fine\n"


async def test_a_start_that_is_cancelled_leaves_a_shell_that_works(command):
    async with Shell() as shell:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await shell.run(command("true"))
        assert (await shell.run(command("echo fine"))).output == b"fine\n"
