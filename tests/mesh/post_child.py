"""A node that takes letters until it is killed; prints what it did with each.

Modes: `idle` does nothing with them, `deaf` makes the effect and never says so, `work` does both.
"""

import sys
from pathlib import Path

import anyio

from hermes.core.clock import SystemClock
from hermes.identity.hot import HotKey
from hermes.mesh.nostr_adapter import Wire
from hermes.mesh.nostr_keys import NostrKeys
from hermes.mesh.nostr_link import NostrLink
from hermes.mesh.post import Post
from hermes.store.statement import Statement
from hermes.store.store import Store

_EFFECT = "INSERT INTO meta (key, value) VALUES (?, ?)"


async def _main(path: str, url: str, friend: str, mode: str) -> None:
    key, clock = HotKey(b"\2" * 32), SystemClock()
    async with Store.open(Path(path), clock) as store, Wire(NostrKeys(key.secret), clock) as wire:
        await wire.connect([url])
        link = NostrLink(wire, store.mesh, clock, known=lambda who: who == friend)
        async with Post(key, store.mesh, [link], clock, lambda who, _: who == friend) as post:
            async for arrival in post.received("turn"):
                envelope = arrival.envelope
                if mode != "idle":
                    effect = Statement(_EFFECT, (f"effect {envelope.id}", envelope.payload))
                    await store._database.write(effect, store.mesh.finishing(envelope.id))
                if mode == "work":
                    await post.settle(envelope, noted=True)
                print(f"{envelope.id} {arrival.again}", flush=True)  # noqa: T201 - the test reads it


if __name__ == "__main__":
    anyio.run(_main, *sys.argv[1:])
