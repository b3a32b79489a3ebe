"""The public ElectrumX (`e-x` on PyPI) as a process of its own on a regtest chain.

It wants a chain of at least one block. Installed for tests only, and not on every machine.
"""

import importlib.util
import socket
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from subprocess import STDOUT
from tempfile import TemporaryDirectory

import anyio
import anyio.abc
import anyio.to_thread
from anyio.streams.buffered import BufferedByteReceiveStream

from hermes.testing.regtest.chain import Regtest

_LINE = 1 << 16
_START_S = 30.0
_POLL_MS = 50


def available() -> bool:
    """Whether e-x and its database are installed here."""
    return all(importlib.util.find_spec(name) for name in ("electrumx", "plyvel"))


@asynccontextmanager
async def electrumx(chain: Regtest) -> AsyncGenerator[Mapping[str, str]]:
    """Run ElectrumX; yields its addresses as our settings write them, by `ws` and `tcp`."""
    make = partial(TemporaryDirectory[str], prefix="hermes-electrumx-")
    home = await anyio.to_thread.run_sync(make)
    ports = {way: _free_port() for way in ("ws", "tcp")}
    environment = {
        "COIN": "Bitcoin",
        "NET": "regtest",
        "DB_ENGINE": "leveldb",
        "DB_DIRECTORY": home.name,
        "DAEMON_URL": chain.http_url,
        "SERVICES": ",".join(f"{way}://127.0.0.1:{port}" for way, port in ports.items()),
        "PEER_DISCOVERY": "off",
        "ALLOW_ROOT": "1",
        "CACHE_MB": "10",
        "COST_SOFT_LIMIT": "0",
        "DAEMON_POLL_INTERVAL_BLOCKS": str(_POLL_MS),
        "DAEMON_POLL_INTERVAL_MEMPOOL": str(_POLL_MS),
    }
    command = [sys.executable, str(Path(sys.executable).with_name("electrumx_server"))]
    try:
        async with await anyio.open_process(command, env=environment, stderr=STDOUT) as process:
            try:
                failed: Exception | None = None
                async with anyio.create_task_group() as tasks:
                    await tasks.start(_listen, process)
                    try:
                        yield {w: f"electrum+{w}://127.0.0.1:{port}" for w, port in ports.items()}
                    except Exception as error:  # noqa: BLE001 - goes on below, not as a group
                        failed = error
                    tasks.cancel_scope.cancel()
                if failed is not None:
                    raise failed
            finally:
                if process.returncode is None:
                    process.kill()
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(home.cleanup)


async def _listen(process: anyio.abc.Process, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    """Read its log to the end: it says when it serves, and a full pipe would stop it."""
    assert process.stdout is not None
    log = BufferedByteReceiveStream(process.stdout)
    said: list[bytes] = []
    waiting = 1
    with anyio.move_on_after(_START_S) as scope:
        while True:
            try:
                line = await log.receive_until(b"\n", _LINE)
            except anyio.IncompleteRead:
                break
            said = [*said[-20:], line]
            if waiting and b"TCP server listening" in line:
                waiting = 0
                scope.deadline = float("inf")
                task_status.started()
    if waiting:
        raise RuntimeError("electrumx did not start:\n" + b"\n".join(said).decode(errors="replace"))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port: int = door.getsockname()[1]
        return port
