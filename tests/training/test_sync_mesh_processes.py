"""Three real processes train together over a relay and their endpoints; one gets kill -9."""

import json
import os
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from subprocess import PIPE

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

pytest.importorskip("numpy")
from mesh_hall import free

from hermes.identity.hot import HotKey
from hermes.testing.relays import local_relay

SCRIPT = Path(__file__).with_name("mesh_worker.py")
ROOT = SCRIPT.parents[2]
NAMES = ("w0", "w1", "w2")
ROUNDS = 8
SECRETS = {name: bytes([at + 1]) * 32 for at, name in enumerate(NAMES)}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Child:
    """A worker's process, and its lines."""

    def __init__(self, process):
        self.process = process
        self.lines = BufferedByteReceiveStream(process.stdout)

    async def line(self):
        return (await self.lines.receive_until(b"\n", 1 << 20)).decode()

    async def begins(self, number):
        """Wait until it begins a round, or a later one."""
        line = await self.line()
        while int(line.removeprefix("round ")) < number:
            line = await self.line()

    async def report(self):
        """What it says in the end."""
        line = await self.line()
        while line.startswith("round "):
            line = await self.line()
        assert await self.process.wait() == 0
        return json.loads(line)

    async def kill(self):
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()


async def begin(stack, tmp_path, name):
    given = [tmp_path / "roster.toml", name, SECRETS[name].hex(), tmp_path / name, str(ROUNDS)]
    process = await anyio.open_process(
        [sys.executable, SCRIPT, *given],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=PIPE,
        stderr=None,
    )
    stack.push_async_callback(process.aclose)
    stack.callback(lambda: process.returncode is None and process.kill())
    return Child(process)


def write_roster(path, relay):
    lines = [f'relays = ["{relay}"]']
    for name, secret in SECRETS.items():
        lines += [f"[workers.{name}]", f'key = "{HotKey(secret).public}"']
        lines += [f'blobs = "http://{free()}"']
    path.write_text("\n".join(lines))


@pytest.mark.parametrize("returns", [True, False])
async def test_one_of_three_is_killed(tmp_path, returns):
    async with local_relay() as relay, AsyncExitStack() as stack:
        write_roster(tmp_path / "roster.toml", relay)
        with anyio.fail_after(200):
            workers = {name: await begin(stack, tmp_path, name) for name in NAMES}
            await workers["w1"].begins(2)
            await workers["w1"].kill()
            await workers["w0"].begins(4)  # without it
            if returns:
                workers["w1"] = await begin(stack, tmp_path, "w1")
            else:
                del workers["w1"]
            reports = [await one.report() for one in workers.values()]
    assert len({report["digest"] for report in reports}) == 1
    assert {report["rounds"] for report in reports} == {ROUNDS}
    assert max(report["error"] for report in reports) < 0.3
    assert all(report["refused"] == {} for report in reports)
    assert min(report["contributed"] for report in reports) >= (1 if returns else ROUNDS - 1)
