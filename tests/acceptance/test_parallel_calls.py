"""Reads of one message run together, writes alone; told by events, not by a clock."""

import os

import anyio
from house import House, call, calls, play

from hermes.config import Limits


def fifos(house, count):
    names = [f"fifo{number}" for number in range(count)]
    for name in names:
        os.mkfifo(house.project / name)
    return names


def feed(path, text):
    """Open a pipe that somebody reads from, and write; never waits."""
    handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    os.write(handle, text)
    os.close(handle)


async def fed(path, text):
    with anyio.fail_after(20):
        while True:
            try:
                return feed(path, text)
            except OSError:  # its reader has not opened it yet
                await anyio.sleep(0.005)


async def meeting(tmp_path, command, count):
    """Run `count` commands that all wait; none is let go before all have started."""
    house = House(tmp_path)
    names = fifos(house, count)
    asked = [("Bash", {"command": command.format(name=name)}) for name in names]
    model = house.script(calls(*asked), {"text": "all met"})
    started, finished = [], []
    async with house.client() as client, anyio.create_task_group() as tasks:
        async with client.turn(house.request(model=model)) as events:
            with anyio.fail_after(30):
                async for event in events:
                    match type(event).__name__:
                        case "ToolStarted":
                            started.append(event.call_id)
                            if len(started) == count:
                                for name in reversed(names):
                                    path = house.project / name
                                    tasks.start_soon(fed, path, f"{name}\n".encode())
                        case "ToolFinished":
                            finished.append(event)
                    last = event
        shown = await client.query("conversations.show", id=last.conversation_id)
    assert last.text == "all met"
    assert sorted(started) == sorted(event.call_id for event in finished)
    results = [part["text"] for part in shown["messages"][2]["parts"]]
    assert results == [f"{name}\nexit code 0" for name in names]


async def test_eight_commands_known_to_read_run_together(tmp_path):
    await meeting(tmp_path, "cat {name}", 8)


async def test_no_more_than_the_limit_run_at_once(tmp_path):
    house = House(tmp_path, limits=Limits(parallel_reads=3))
    names = fifos(house, 7)
    asked = [("Bash", {"command": f"cat {name}"}) for name in names]
    running, most, total = set(), 0, 0
    async with house.client() as client, anyio.create_task_group() as tasks:
        request = house.request(model=house.script(calls(*asked), {"text": "ok"}))
        async with client.turn(request) as events:
            async for event in events:
                match type(event).__name__:
                    case "ToolStarted":
                        running.add(event.call_id)
                        most, total = max(most, len(running)), total + 1
                        if total == 3:
                            for name in names:
                                tasks.start_soon(fed, house.project / name, b"x")
                    case "ToolFinished":
                        running.remove(event.call_id)
    assert (most, total) == (3, 7)


async def test_writes_are_alone(tmp_path):
    house = House(tmp_path)
    kinds = ["read"] * 3 + ["write"] + ["read"] * 2 + ["write"] * 2 + ["read"]
    commands = [
        f"sleep 0.0{n + 1}" if kind == "read" else f"sleep 0.05; echo {n} >> log"
        for n, kind in enumerate(kinds)
    ]
    model = house.script(
        calls(*(("Bash", {"command": command}) for command in commands)), {"text": "ok"}
    )
    effects, running = {}, set()
    most = 0
    async with (
        house.client() as client,
        client.turn(house.request(model=model, yes=True)) as events,
    ):
        async for event in events:
            match type(event).__name__:
                case "ToolCalled":
                    effects[event.call_id] = event.effect
                case "ToolStarted":
                    running.add(event.call_id)
                    most = max(most, len(running))
                    assert len(running) == 1 or {effects[c] for c in running} == {"read"}
                case "ToolFinished":
                    running.remove(event.call_id)
            last = event
    assert last.text == "ok"
    assert list(effects.values()) == kinds
    assert most == 3
    assert (house.project / "log").read_text() == "3\n6\n7\n"


async def test_a_write_sees_what_was_asked_before_it(tmp_path):
    house = House(tmp_path)
    (house.project / "f").write_text("one\n")
    lines = [
        calls(
            ("FileRead", {"path": "f"}),
            ("FileEdit", {"path": "f", "old": "one", "new": "two"}),
            ("FileRead", {"path": "f", "limit": 5}),
            ("FileWrite", {"path": "f", "content": "three\n"}),
            ("Bash", {"command": "cat f"}),
        ),
        call("FileRead", path="f"),
        {"text": "ok"},
    ]
    async with house.client() as client:
        events = await play(client, house.request(model=house.script(*lines), yes=True))
    assert [event.result for event in events if type(event).__name__ == "ToolFinished"] == [
        "one\n",
        "changed 1",
        "two\n",
        "wrote 6 bytes",
        "three\nexit code 0",
        "three\n",
    ]
