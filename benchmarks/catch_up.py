"""What a node missed: 10,000 of 30,000 events on a relay, by negentropy against plain fetching.

The missed ones lie among the known: wraps bear times up to two days back, so that no `since`
tells them apart, and who fetches plainly fetches everything.
"""

import secrets
import time
from functools import partial

import anyio

from benchmarks import Row, at_least, told
from hermes.core.clock import SystemClock
from hermes.mesh.event import WRAP, Filter, Known, NostrEvent
from hermes.mesh.nostr_adapter import Wire
from hermes.mesh.nostr_catch_up import catch_up, pages
from hermes.mesh.nostr_keys import NostrKeys
from hermes.testing.relays import local_relay

MISSED, QUICK = 10_000, 500
SIZE = 1_700  # a wrap around a short message
RATIO = 1.0
_DAYS_S = 172_800


async def _fill(wire: Wire, events: list[NostrEvent]) -> None:
    async def publish(part: list[NostrEvent]) -> None:
        for one in part:
            said = await wire.publish(one)
            if any(said.values()):
                raise RuntimeError(f"the relay refused: {said}")

    async with anyio.create_task_group() as tasks:
        for first in range(8):
            tasks.start_soon(publish, events[first::8])


async def measure(missed: int) -> list[Row]:
    """Fill a relay, then catch up in both ways, on a new wire each."""
    keys, clock = NostrKeys(b"\1" * 32), SystemClock()
    tags, now = (("p", keys.public),), int(time.time())
    events = [
        keys.sign(WRAP, f"{n:x}".ljust(SIZE, "."), tags, now - secrets.randbelow(_DAYS_S))
        for n in range(3 * missed)
    ]
    known = [Known(one.id, one.created_at) for one in events[missed:]]
    wish = Filter(kinds=(WRAP,), tags={"p": (keys.public,)})
    taken = {}
    async with local_relay() as url:
        async with Wire(keys, clock) as wire:
            await wire.connect([url])
            await _fill(wire, events)
        for name, way in (("plain", pages), ("negentropy", catch_up)):
            async with Wire(keys, clock) as wire:
                await wire.connect([url])
                began = time.perf_counter()
                found = [one.id async for group in way(wire, wish, known, url) for one in group]
                taken[name] = time.perf_counter() - began
            if sorted(found) != sorted(one.id for one in events[:missed]):
                raise RuntimeError(f"{name}: {len(found)} of {missed}")
    ratio = taken["plain"] / taken["negentropy"]
    return [
        told(f"{missed:,} missed of {3 * missed:,}, plain", taken["plain"], "s"),
        told(f"{missed:,} missed of {3 * missed:,}, negentropy", taken["negentropy"], "s"),
        at_least("plain / negentropy", ratio, "x", RATIO),
    ]


def main(quick: bool) -> list[Row]:  # noqa: FBT001 - how the table calls every script
    """All rows."""
    return anyio.run(partial(measure, QUICK if quick else MISSED))
