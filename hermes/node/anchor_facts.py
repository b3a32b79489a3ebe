"""Anchors as JSON: one a row, and what holds for all of them."""

from hermes.config import Chain
from hermes.core.anchor import AnchorKind
from hermes.core.checkpoint import checkpoint_in
from hermes.core.clock import Clock, rfc3339
from hermes.core.event import Json
from hermes.store.anchors import Anchor, AnchorState
from hermes.store.store import Store

_MONTH_MS = 30 * 24 * 3_600_000
_RANKS: dict[AnchorState, int] = {
    "lost": -1,
    "draft": 0,
    "sent": 1,
    "seen": 2,
    "mined": 3,
    "settled": 4,
    "final": 5,
}


def rank(state: AnchorState) -> int:
    """How far a state is."""
    return _RANKS[state]


async def row(store: Store, anchor: Anchor) -> dict[str, Json]:
    """One anchor; `leaf` is the newest entry of the log that it speaks of."""
    newest = anchor.mined or (anchor.alive[-1] if anchor.alive else None)
    size = checkpoint_in(anchor.note).size if anchor.note else None
    return {
        "id": anchor.id,
        "kind": AnchorKind(anchor.kind).name.lower(),
        "state": anchor.state,
        "txid": newest.txid if newest else "",
        "fee": newest.fee if newest else None,
        "rate": round(newest.fee / newest.size, 1) if newest else None,
        "attempts": len(anchor.attempts),
        "height": anchor.height or None,
        "block": anchor.block,
        "size": size,
        "leaf": await store.log.leaf(size - 1) if size else "",
        "asked": rfc3339(anchor.at) if anchor.at else None,
        "says": anchor.says,
    }


async def facts_of(caps: Chain, store: Store, clock: Clock) -> dict[str, Json]:
    """What may be spent, what was, and whether the alarm is raised."""
    spent = await store.anchors.spent_since(clock.now_ms() - _MONTH_MS)
    halt = await store.anchors.halted()
    return {
        "network": caps.network,
        "fee_rate_most": caps.fee_rate_most,
        "fee_most": caps.fee_most,
        "month_most": caps.month_most,
        "month_spent": sum(spent.values()),
        "halted": {"coin": halt.coin, "spender": halt.spender, "says": halt.says} if halt else None,
    }
