"""Owns an engine until it is killed; prints the engine's process id, then its directory.

With `--bare` it starts the engine's process on its own stdin, so that its death closes no pipe.
"""

import subprocess
import sys
from pathlib import Path

import anyio

from hermes.models.engine import Engine
from hermes.models.engine_process import command_of
from tests.models.engine_talk import INFO, plan


async def _own(place: Path) -> None:
    async with Engine(INFO, plan(place)) as engine:
        server = await engine.ensure()
        print(server.pid, server.uds, flush=True)  # noqa: T201 - read by the test
        await anyio.sleep_forever()


def _own_barely() -> None:
    child = subprocess.Popen(command_of(sys.executable, "hermes.models.engine_xllamacpp"))
    print(child.pid, flush=True)  # noqa: T201 - read by the test
    child.wait()


if __name__ == "__main__":
    if sys.argv[1] == "--bare":
        _own_barely()
    else:
        anyio.run(_own, Path(sys.argv[1]))
