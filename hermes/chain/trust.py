"""The walk as plain data, the same for `trust show` and `trust verify`; and its two entry points.

Loaded late, by the command or the query that needs it.
"""

from collections.abc import Mapping
from typing import NamedTuple

import anyio.to_thread
import msgspec

from hermes.chain.headers import headers_of
from hermes.chain.heritage import place_last
from hermes.chain.lineage import verify_lineage, walk
from hermes.chain.lineage_wire import Lineage
from hermes.chain.succession import Succession
from hermes.chain.transaction import outpoint_text
from hermes.chain.walk import Instance, Walk
from hermes.core.checkpoint import checkpoint_of
from hermes.core.clock import rfc3339
from hermes.core.event import Json
from hermes.errors import NotAvailable
from hermes.identity.statements import Handoff
from hermes.store.anchors import Anchor

_STATES = ("draft", "sent", "seen")


class Mark(NamedTuple):
    """How one anchor stands, where this node knows it."""

    state: str
    height: int


def verify_file(data: bytes, headers: bytes, block: str, at: int) -> Json:
    """Check a lineage's bytes offline; raises ProofInvalid.

    Args:
        data: the file.
        headers: a file of headers; empty: `block` is what is believed.
        block: a block's hash in hex.
        at: the moment (ms UTC) at which members are told.
    """
    trusted = headers_of(headers)[0] if headers else block
    found = verify_lineage(data, trusted)
    place: dict[str, Json] = {
        "block": found.block,
        "time": rfc3339(found.time),
        "height": found.height,
        "blocks": found.blocks,
        "rests_on": found.rests_on,
    }
    return tree_of(found, at) | {"place": place, "bytes": len(data)}


async def show(line: Succession, anchors: tuple[Anchor, ...], at: int) -> Json:
    """The walk as this node knows it, with what is not in a block yet."""
    lineage = await line.heritage.lineage()
    found = await anyio.to_thread.run_sync(walk, lineage)
    marks = {one.txid: Mark(one.state, one.height) for one in anchors if one.txid}
    waiting: list[Json] = [
        {"kind": _kind(one.kind), "state": one.state, "says": one.says}
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


def tree_of(found: Walk, at: int, marks: Mapping[str, Mark] | None = None) -> dict[str, Json]:
    """A walk as plain data; `marks` by transaction."""
    return {
        "network": found.network,
        "links": found.links,
        "coin": outpoint_text(found.coin) if found.coin else "",
        "sat": found.value,
        "now": found.now.genesis.cid,
        "instances": [_instance(one, at, marks or {}) for one in found.instances],
    }


def _instance(one: Instance, at: int, marks: Mapping[str, Mark]) -> dict[str, Json]:
    genesis = one.genesis
    return {
        "genesis": genesis.cid,
        "log": genesis.name,
        "by": one.how,
        "at": rfc3339(genesis.at),
        "soul": genesis.soul,
        "keys": msgspec.to_builtins(genesis.roles),
        "recovery": genesis.recovery,
        "recovery_after": genesis.recovery_after,
        "handoff": _handoff(one.handoff) if one.handoff else None,
        "souls": [{"soul": soul.soul, "at": rfc3339(soul.at)} for soul in one.souls],
        "anchors": [
            {
                "kind": step.kind.name.lower(),
                "txid": step.txid,
                "sat": step.coin,
                **({} if step.txid not in marks else marks[step.txid]._asdict()),
            }
            for step in one.steps
        ],
        "members": [
            {"node": member.node, "roles": list(member.roles), "until": member.until}
            for member in one.members_at(at)
            if member.state == "valid"
        ],
    }


def _handoff(record: Handoff) -> dict[str, Json]:
    return {
        "at": rfc3339(record.at),
        "soul": record.soul,
        "verdict": record.verdict,
        "entries": checkpoint_of(record.checkpoint).size,
    }


def _kind(kind: int) -> str:
    return ("genesis", "checkpoint", "handoff", "batch")[kind]
