"""The walk as one node knows it: drawn with how each anchor stands, and written to a file."""

import anyio.to_thread

from hermes.chain.heritage import place_last
from hermes.chain.lineage import walk
from hermes.chain.lineage_wire import Lineage
from hermes.chain.succession import Succession
from hermes.chain.trust import Mark, tree_of
from hermes.chain.walk import Walk
from hermes.core.anchor import AnchorKind
from hermes.core.event import Json
from hermes.errors import NotAvailable
from hermes.store.anchors import Anchor

_STATES = ("draft", "sent", "seen")


async def show(line: Succession, anchors: tuple[Anchor, ...], at: int) -> Json:
    """The walk as this node knows it, with what is not in a block yet."""
    lineage = await line.heritage.lineage()
    found = await anyio.to_thread.run_sync(walk, lineage)
    marks = {one.txid: Mark(one.state, one.height) for one in anchors if one.txid}
    waiting: list[Json] = [
        {"kind": AnchorKind(one.kind).name.lower(), "state": one.state, "says": one.says}
        for one in anchors
        if one.state in _STATES
    ]
    return tree_of(found, at, marks) | {"waiting": waiting, "own": line.genesis.cid}


async def export(line: Succession) -> tuple[bytes, Walk]:
    """The lineage up to the newest move that lies in a block; raises NotAvailable."""
    lineage: Lineage = await line.heritage.lineage()
    if not lineage.links:
        raise NotAvailable("no anchor is in a block yet", "run: hermes anchor now")
    if lineage.place is None:
        async with line.connect() as backend:
            lineage = await place_last(backend, lineage)
    return lineage.encode(), await anyio.to_thread.run_sync(walk, lineage)
