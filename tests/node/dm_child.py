"""A node that answers direct messages, in a process of its own, until it is killed."""

import sys
from pathlib import Path

import anyio
from dm_house import serving
from house import House


async def _main(base: str, relay: str, model: str) -> None:
    async with serving(House(Path(base), model=model), relay) as post:
        if not await post.client.query("pairings.list"):
            print(await post.code(), flush=True)  # noqa: T201 - the parent reads it
        else:
            print("up", flush=True)  # noqa: T201
        await anyio.sleep_forever()


if __name__ == "__main__":
    anyio.run(_main, *sys.argv[1:])
