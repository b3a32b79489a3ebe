"""Promotes page by page until it is killed; says when it has begun."""

import sys
from pathlib import Path

import anyio

from hermes.core.clock import SystemClock
from hermes.memory.historian import Historian
from hermes.store.store import Store
from tests.memory.person import Nobody


async def _main() -> None:
    async with Store.open(Path(sys.argv[1]), SystemClock()) as store:
        historian = Historian(store, SystemClock(), Nobody(), 0)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_promote, historian)
            await anyio.sleep(int(sys.argv[2]) / 1000)
            print("begun", flush=True)  # noqa: T201 - the sign to kill it


async def _promote(historian: Historian) -> None:
    while (await historian.run(0)).more:
        pass


if __name__ == "__main__":
    anyio.run(_main)
