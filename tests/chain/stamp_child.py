"""A calendar in a process of its own, to be killed: prints its address, then serves."""

import sys
from pathlib import Path

import anyio

from hermes.chain.calendar_http import open_calendar
from hermes.chain.calendar_limits import Limits
from hermes.core.clock import SystemClock
from hermes.store.store import Store


class Nowhere:
    """Anchors nothing."""

    async def anchor(self, root):
        """Leave it."""

    async def settled(self, root):
        """Never."""


def report(where, error):
    sys.stderr.write(f"{where}: {error}\n")


async def main(path):
    limits = Limits(per_second=10_000, burst=10_000)
    async with (
        Store.open(Path(path), SystemClock()) as store,
        open_calendar(store.stamps, "127.0.0.1:0", Nowhere(), report, limits) as calendar,
    ):
        sys.stdout.write(calendar.uri + "\n")
        sys.stdout.flush()
        await anyio.sleep_forever()


if __name__ == "__main__":
    anyio.run(main, sys.argv[1])
