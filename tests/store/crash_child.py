"""Writes to a store until it is killed; prints the name of each acknowledged message."""

import os
import sys
from pathlib import Path

import anyio

from hermes.core.clock import SystemClock
from hermes.core.ids import CallId, TurnId, uuid7
from hermes.store.store import Store
from tests.store.talk import conversation, message


async def _produce(store: Store) -> None:
    made = await conversation(store)
    while True:
        heads = (await store.conversations.get(made)).heads
        said = message("word " * (os.urandom(1)[0] + 1), made, heads, turn=uuid7())
        (cid,) = await store.conversations.append(said)
        print(cid, flush=True)  # noqa: T201 - the acknowledgement
        entry = await store.journal.intend(
            turn=TurnId("turn"), conversation=made, call=CallId("call"), tool="FileWrite",
            arguments="{}", changes=[("/file", os.urandom(20_000), b"after")],
        )  # fmt: skip
        await store.journal.outcome(entry, ok=True, text="done")


async def _main() -> None:
    opened = Store.open(Path(sys.argv[1]), SystemClock())
    async with opened as store, anyio.create_task_group() as tasks:
        for _ in range(6):
            tasks.start_soon(_produce, store)


if __name__ == "__main__":
    anyio.run(_main)
