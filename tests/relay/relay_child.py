"""A relay that is killed by its test: prints its address, then runs for good."""

import sys
from pathlib import Path

import anyio

from relay.rules import Rules
from relay.server import Place, open_relay


async def main() -> None:
    place = Place(Path(sys.argv[1]))
    async with open_relay(place, Rules(owners=frozenset({sys.argv[2]}))) as relay:
        sys.stdout.write(f"{relay.url}\n")
        sys.stdout.flush()
        await anyio.sleep_forever()


anyio.run(main)
