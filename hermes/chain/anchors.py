"""How an anchor goes on, from what the chain says of it: pure, `(state, seen, tip)` to actions.

draft → sent → seen → mined → settled (6 blocks) → final (144). Looked at anew on each tip: one
that is in no block any more is sent again; one that waits six blocks is raised; one whose coin
somebody else spent is lost. Nothing here is believed or done: `watch` checks what is seen,
`keeper` does what is decided.
"""

import enum

import msgspec

from hermes.chain.backend import Tip
from hermes.chain.fees import TARGET_BLOCKS
from hermes.store.anchors import Anchor, AnchorState, Attempt

SETTLED = 6
FINAL = 144


class Mined(msgspec.Struct, frozen=True):
    """Where a transaction stands; `depth` counts the headers that were checked, its own first."""

    txid: str
    height: int
    block: str
    header: bytes
    position: int
    branch: tuple[bytes, ...]
    depth: int


class Seen(msgspec.Struct, frozen=True):
    """What the chain says of one anchor.

    `waiting`: the attempt in the mempool; `thief`: a stranger's transaction that spends the
    coin; `lineage`: the coin that the anchor has to spend, empty where any deposit will do.
    """

    mined: Mined | None = None
    waiting: str = ""
    thief: str = ""
    lineage: str = ""


class Do(enum.Enum):
    """What is to be done."""

    BUILD = "build"
    """Make a transaction, have it signed, keep it, send it."""
    SEND = "send"
    """Send the newest living attempt (again)."""
    RAISE = "raise"
    """Make one with a higher fee in its place."""
    ALARM = "alarm"
    """Halt: somebody else spent the coin."""


def step(anchor: Anchor, seen: Seen, tip: Tip) -> tuple[Anchor, tuple[Do, ...]]:
    """Where the anchor stands now, and what is to be done."""
    if anchor.state in {"final", "lost"}:
        return anchor, ()
    if seen.mined:
        return _mined(anchor, seen.mined), ()
    anchor = _unmined(anchor, seen.lineage, tip)
    if seen.thief and seen.lineage:
        lost = msgspec.structs.replace(anchor, state="lost" if anchor.attempts else "draft")
        return lost, (Do.ALARM,)
    if seen.thief:  # only a deposit: another will do
        anchor = _buried(anchor)
    if not anchor.alive:
        return msgspec.structs.replace(anchor, state="draft"), (Do.BUILD,)
    overdue = tip.height - anchor.alive[-1].height >= TARGET_BLOCKS
    more = (Do.RAISE,) if overdue else ()
    if seen.waiting:
        return msgspec.structs.replace(anchor, state="seen"), more
    return msgspec.structs.replace(anchor, state="sent"), (Do.SEND, *more)


def depth_state(depth: int) -> AnchorState:
    """What so many blocks make of an anchor."""
    return "final" if depth >= FINAL else "settled" if depth >= SETTLED else "mined"


def _mined(anchor: Anchor, found: Mined) -> Anchor:
    state = depth_state(found.depth)
    if anchor.block == found.block and anchor.state == "settled" and state == "mined":
        state = "settled"  # the same block: the server lags, nothing was undone
    return msgspec.structs.replace(
        anchor,
        state=state,
        txid=found.txid,
        height=found.height,
        block=found.block,
        header=found.header,
        position=found.position,
        branch=b"".join(found.branch),
        says="",
        attempts=tuple(_live(one, alive=one.txid == found.txid) for one in anchor.attempts),
    )


def _unmined(anchor: Anchor, lineage: str, tip: Tip) -> Anchor:
    """Out of its block, if it was in one; attempts on another coin than the lineage's are dead."""
    attempts = anchor.attempts
    if anchor.txid:  # it waits for a block from now on
        attempts = tuple(msgspec.structs.replace(one, height=tip.height) for one in attempts)
    if lineage:
        alive = [one for one in attempts if not one.dead and one.coin == lineage]
        # The one that was mined goes first again, because whatever came after spends its coin;
        # all of them only when the lineage itself went back to where they belong.
        attempts = tuple(
            _live(one, alive=one in alive if alive else one.coin == lineage) for one in attempts
        )
    return msgspec.structs.replace(
        anchor,
        txid="",
        height=0,
        block="",
        header=b"",
        position=0,
        branch=b"",
        attempts=attempts,
    )


def _buried(anchor: Anchor) -> Anchor:
    dead = tuple(_live(one, alive=False) for one in anchor.attempts)
    return msgspec.structs.replace(anchor, attempts=dead)


def _live(one: Attempt, *, alive: bool) -> Attempt:
    return msgspec.structs.replace(one, dead=not alive)
