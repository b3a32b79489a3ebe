"""Runs a store into a file-size limit, lifts it, and goes on; prints what happened."""

import resource
import sys
from pathlib import Path

import anyio

from hermes.core.clock import SystemClock
from hermes.errors import StoreFull
from hermes.store.store import Store
from tests.store.talk import conversation, message


async def _fill(store: Store, made) -> int:
    kept = 0
    while True:
        try:
            await store.conversations.append(message("x" * 20_000, made))
        except StoreFull:
            return kept
        kept += 1


async def _main() -> None:
    async with Store.open(Path(sys.argv[1]), SystemClock()) as store:
        made = await conversation(store)
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, hard))
        kept = await _fill(store, made)
        readable = len(await store.conversations.history(made))
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        for _ in range(3):
            await store.conversations.append(message("room again", made))
        problems = (*await store.integrity(), *await store.verify())
        print(kept, readable, (await store.size())["messages"], *problems)  # noqa: T201


if __name__ == "__main__":
    anyio.run(_main)
