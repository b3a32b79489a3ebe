"""Opens a store with its log, adds blocks until it is killed; says what is on disk."""

import sys
from pathlib import Path

import anyio

from hermes.core.canonical import cid_of
from hermes.core.ids import uuid7
from hermes.store.database import Database
from hermes.store.ledger import Ledger
from hermes.store.schema import plan
from hermes.store.statement import Statement

ADD = "INSERT INTO blocks (cid, kind, data) VALUES (?, 'test', NULL)"


async def _main() -> None:
    path = Path(sys.argv[1])
    print("opening", flush=True)  # noqa: T201 - it may be killed from here on
    async with Database(path, plan("node"), companion=Ledger(path)) as database:
        while True:
            names = [cid_of(uuid7().encode()) for _ in range(100)]
            await database.write(*(Statement(ADD, (name,), append=True) for name in names))
            print(names[-1], flush=True)  # noqa: T201 - the acknowledgement


if __name__ == "__main__":
    anyio.run(_main)
