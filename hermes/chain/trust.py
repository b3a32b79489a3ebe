"""A walk as plain data, for people and programs; and the offline check of a lineage's file.

Loaded late, by the command that needs it; knows no store and no server.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from hermes.chain.headers import headers_of
from hermes.chain.lineage import verify_lineage
from hermes.chain.transaction import outpoint_text
from hermes.chain.walk import Instance, Walk
from hermes.core.checkpoint import checkpoint_of
from hermes.core.clock import rfc3339
from hermes.core.event import Json
from hermes.identity.statements import Handoff


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
