"""Workers as processes of their own, over a directory and over sockets: killed, back, lying."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

pytest.importorskip("numpy")
from tests.training.sync_worker import LIMIT
from training.sync.directory import Directory
from training.sync.hub import Hub
from training.sync.sockets import Sockets

SCRIPT = Path(__file__).with_name("sync_worker.py")
ROOT = SCRIPT.parents[2]
NAMES = ("w0", "w1", "w2", "w3")
ROUNDS = 12

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def begin(place, name, *, slow=0.03, token=""):
    """Start a worker."""
    dials = ["--slow", str(slow), "--rounds", str(ROUNDS), "--workers", "4", "--deadline", "1"]
    return subprocess.Popen(
        [sys.executable, SCRIPT, place, name, name[1:], *dials],
        env=os.environ | {"PYTHONPATH": str(ROOT), "SYNC_TOKEN": token},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def ended(process):
    """What a worker reported."""
    out, err = await anyio.to_thread.run_sync(process.communicate)
    assert process.returncode == 0, err
    return json.loads(out)


async def delivered(transport, number, name):
    """Wait until a worker has delivered in a round."""
    look = await transport.look(number)
    while name not in look.delivered and look.settled is None:
        look = await transport.look(number, look, 20)


async def lie(transport):
    """Send garbage each round, well-named."""
    for number in range(ROUNDS):
        look = await transport.look(number)
        while not look.here:
            look = await transport.look(number, look, 20)
        await transport.publish(number, "delta.liar", os.urandom(90))


async def go_through(place, rounds, liar, tokens):
    """One killed in mid-run and back, one slow, one liar; the reports and the killed one's."""
    workers = {
        name: begin(place, name, slow=0.2 if name == "w3" else 0.03, token=tokens[name])
        for name in NAMES
    }
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lie, liar)
            await delivered(rounds, 2, "w1")
            workers["w1"].send_signal(signal.SIGKILL)
            await anyio.to_thread.run_sync(workers["w1"].communicate)
            await delivered(rounds, 5, "w0")
            workers["w1"] = begin(place, "w1", token=tokens["w1"])
            reports = {name: await ended(process) for name, process in workers.items()}
            tasks.cancel_scope.cancel()
    finally:
        for process in workers.values():
            process.kill()
            process.communicate()
    return reports


def check(reports):
    assert len({report["digest"] for report in reports.values()}) == 1
    assert {report["rounds"] for report in reports.values()} == {ROUNDS}
    assert reports["w0"]["contributed"] + reports["w2"]["contributed"] >= ROUNDS
    assert reports["w0"]["refused"]["liar"]
    assert max(report["error"] for report in reports.values()) < 0.3


async def test_a_run_over_a_directory(tmp_path):
    rounds = Directory(tmp_path, LIMIT)
    with anyio.fail_after(200):
        check(await go_through(str(tmp_path), rounds, rounds, dict.fromkeys(NAMES, "")))


async def test_a_run_over_sockets(tmp_path):
    tokens = {name: f"secret-{name}" for name in (*NAMES, "liar")}
    rounds = Directory(tmp_path, LIMIT)
    async with Hub(rounds, tokens, ("127.0.0.1", 0)) as hub:
        place = f"{hub.address[0]}:{hub.address[1]}"
        liar = Sockets(hub.address, "liar", tokens["liar"])
        with anyio.fail_after(200):
            check(await go_through(place, rounds, liar, tokens))
