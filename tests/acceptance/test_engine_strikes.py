"""The engine's life under an owner: killed in mid-stream, killed with its owner, idle, unseen."""

import contextlib
import os
import signal
from pathlib import Path

import anyio
from house import House, play
from stranger import descendants, kill, wait_gone, words_of

from benchmarks.measure import HERMES
from benchmarks.owner import PROMPT
from benchmarks.terminal import terminal

MODULE = "hermes.models.engine_"
LISTENS = "00010000"  # a flag of /proc/net/unix
PROTOCOLS = ("tcp", "tcp6", "udp", "udp6", "raw", "raw6")


def engines(owner: int) -> list[int]:
    return [pid for pid in descendants(owner) if MODULE in words_of(pid)]


async def until(condition, limit_s=20.0):
    """Wait for what another process does; gives what came true."""
    with anyio.fail_after(limit_s):
        while not (found := condition()):  # noqa: ASYNC110 - another process tells nobody
            await anyio.sleep(0.005)
        return found


def connected(directory: Path) -> bool:
    """Whether somebody has opened a connection to an engine's socket below a directory."""
    lines = Path("/proc/net/unix").read_text().splitlines()
    ours = [line for line in lines if f"{directory}/" in line and line.endswith(".sock")]
    return any(line.split()[3] != LISTENS for line in ours if "/engine-" in line)


async def test_an_engine_killed_in_mid_stream_costs_one_turn(stranger):
    house = House(stranger.base)
    (house.project / "a.txt").write_text("walrus\n")
    async with house.client(interactive=True) as client:
        (engine,) = await until(lambda: engines(os.getpid()))
        state = ""
        while state != "ready":
            state = (await client.status())["engine"]["state"]
        os.kill(engine, signal.SIGSTOP)  # so that the strike falls before the answer's end
        async with client.turn(house.request("read a.txt")) as events:
            kinds = [type(await anext(events)).__name__]
            await until(lambda: connected(house.settings.runtime_dir))
            kill(engine)
            async for event in events:
                kinds.append(type(event).__name__)
                last = event
        assert kinds == ["TurnStarted", "TurnFailed"]
        assert last.kind == "EngineDied"
        assert "killed by SIGKILL" in last.error
        assert last.remedy
        again = await play(client, house.request("read a.txt"))
        results = [e.result for e in again if type(e).__name__ == "ToolFinished"]
        assert results == ["walrus\n"]
        assert type(again[-1]).__name__ == "TurnFinished"
        notices = [e.text for e in again if type(e).__name__ == "Notice"]
        assert len(notices) == 1
        assert "started again" in notices[0]
        assert "SIGKILL" in notices[0]
        assert engines(os.getpid()) not in ([], [engine])
    assert engines(os.getpid()) == []


def test_an_engine_killed_under_a_command_is_told_and_replaced(stranger):
    """The strike falls while words come: the window is filled, so that there are many."""
    stranger.write("long.txt", "walrus seal otter\n" * 400)
    for _ in range(20):
        live = stranger.start("read long.txt")
        live.until("tool_finished")
        for pid in engines(live.pid):
            kill(pid)
        code = live.end()
        if code == 1:
            break
    assert code == 1, "no strike fell into a stream"
    assert live.events[-1]["kind"] == "EngineDied"
    assert "SIGKILL" in live.events[-1]["error"]
    stranger.write("a.txt", "walrus\n")
    done = stranger.ask("read a.txt")
    assert done.code == 0
    assert done.of("tool_finished")[0]["ok"]


def inodes(pid: int) -> set[str]:
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            target = entry.readlink().name
            if target.startswith("socket:["):
                found.add(target[8:-1])
    return found


def internet() -> set[str]:
    """Inodes of every socket that is not a unix one."""
    tables = [Path("/proc/net", name) for name in PROTOCOLS]
    texts = [table.read_text() for table in tables if table.exists()]
    return {line.split()[9] for text in texts for line in text.splitlines()[1:]}


def test_no_port_and_no_orphan(stranger):
    with terminal([HERMES, "chat"], stranger.env) as screen:
        screen.wait_for(PROMPT, 20)
        shown = len(screen.text)
        stranger.write("a.txt", "walrus\n")
        screen.type("read a.txt\r")
        screen.wait_for("walrus", 20, since=shown)
        ours = [screen.child.pid, *descendants(screen.child.pid)]
        assert len(engines(screen.child.pid)) == 1
        for pid in ours:
            assert inodes(pid) & internet() == set(), words_of(pid)
        assert any(inodes(pid) for pid in ours)
        kill(screen.child.pid)
        wait_gone(ours)
    after = stranger.ask("read a.txt")
    assert after.code == 0


def test_no_prompt_is_seen_by_others(stranger):
    """Neither command lines nor environments carry words, and sockets lie behind 0700."""
    with terminal([HERMES, "chat"], stranger.env) as screen:
        screen.wait_for(PROMPT, 20)
        screen.type("read walrus.txt\r")
        screen.wait_for("no such file", 20)
        (engine,) = engines(screen.child.pid)
        told = words_of(engine) + Path(f"/proc/{engine}/environ").read_bytes().decode()
        assert "walrus" not in told
        run = Path(stranger.env["XDG_RUNTIME_DIR"]) / "hermes-v2"
        directories = [run, *(path for path in run.rglob("*") if path.is_dir())]
        sockets = [path for path in run.rglob("*") if path.is_socket()]
        assert len(sockets) >= 2
        assert {path.stat().st_mode & 0o777 for path in directories} == {0o700}


async def test_an_idle_engine_goes_away_and_comes_back(stranger):
    house = House(stranger.base, keep_alive_s=0.2)
    (house.project / "a.txt").write_text("walrus\n")
    async with house.client(interactive=True) as client:
        first = await play(client, house.request("read a.txt"))
        await until(lambda: engines(os.getpid()) == [])
        second = await play(client, house.request("read a.txt"))
        notices = [e for e in second if type(e).__name__ == "Notice"]
    assert type(first[-1]).__name__ == type(second[-1]).__name__ == "TurnFinished"
    assert notices == []
