"""A node's store that takes in a conversation and says so parcel by parcel, until it is killed."""

import sys
from pathlib import Path

import anyio

from hermes.core.clock import SystemClock
from hermes.core.ids import ConversationId
from hermes.store.store import Store


async def take(source, target, place):
    async with (
        Store.open(Path(source), SystemClock()) as giver,
        Store.open(Path(target), SystemClock()) as taker,
    ):
        more = True
        while more:
            cut = await giver.replicas.cut(await taker.replicas.wanted(place), "a" * 64, 2_000)
            taken = await taker.replicas.take(cut.parcel, "b" * 64)
            sys.stdout.write(f"{taken.fresh}\n")
            sys.stdout.flush()
            more = cut.parcel.more


anyio.run(take, sys.argv[1], sys.argv[2], ConversationId(sys.argv[3]))
