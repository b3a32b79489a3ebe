"""Comparing two tables in four short messages, and taking over what each lacks.

Summary (digests of 256 buckets) → briefs of the buckets that differ → whole rows and wishes →
whole rows. Recent topic items go the same way. Cost grows with the difference, not with the mesh.
"""

from collections import Counter

import msgspec

from hermes.mesh.chance import stir
from hermes.mesh.gossip_values import Action, Gossip, Learn, Send
from hermes.mesh.gossip_wire import (
    MOST_BRIEFS,
    MOST_REPORTS,
    Brief,
    Briefs,
    Rows,
    Summary,
)
from hermes.mesh.members import BUCKETS, Member, Members, Report, Standing, bucket_of, place

_MUCH = 8


def taken(state: Gossip, now: int) -> Gossip:
    """Let go of topic items that have expired."""
    if all(item.expires_at > now for item in state.items.values()):
        return state
    items = {name: item for name, item in state.items.items() if item.expires_at > now}
    return msgspec.structs.replace(state, items=items)


def _items_digest(state: Gossip, now: int) -> int:
    total = 0
    for name, item in state.items.items():
        if item.expires_at > now:
            total ^= int.from_bytes(place(name)[:8], "big")
    return total >> 1


def opened(state: Gossip, now: int, members: Members) -> Summary:
    """Begin a comparison."""
    return Summary(members.digests, _items_digest(state, now))


def compare(
    state: Gossip, now: int, sender: str, message: object, members: Members
) -> tuple[Gossip, tuple[Action, ...]]:
    """Go on with a comparison."""
    match message:
        case Summary():
            return state, _briefs(state, now, sender, message, members)
        case Briefs():
            return _wishes(state, now, sender, message, members)
        case Rows():
            return _granted(state, now, sender, message, members)
        case _:
            return state, ()


def _briefs(
    state: Gossip, now: int, sender: str, theirs: Summary, members: Members
) -> tuple[Action, ...]:
    ours = members.digests
    differing = [
        bucket for bucket in range(BUCKETS) if ours.get(bucket, 0) != theirs.digests.get(bucket, 0)
    ]
    items = None
    if theirs.items != _items_digest(state, now):
        items = tuple(n for n, item in state.items.items() if item.expires_at > now)[-MOST_BRIEFS:]
    if not differing and items is None:
        return ()
    rows = [_brief(node, held) for node, held in members.within(frozenset(differing))]
    sizes = Counter(bucket_of(row.node) for row in rows)
    parts: list[Action] = []
    room = MOST_BRIEFS
    while True:
        # Whole buckets only: what is missing from one would be taken for unknown to us.
        buckets: list[int] = []
        count = 0
        for bucket in differing:
            size = sizes[bucket]
            if count + size > room and buckets:
                break
            buckets.append(bucket)
            count += size
        chosen = frozenset(buckets)
        part = tuple(row for row in rows if bucket_of(row.node) in chosen)[:room]
        parts.append(Send(sender, Briefs(tuple(buckets), part, items)))
        differing, items = differing[len(buckets) :], None
        rows = [row for row in rows if bucket_of(row.node) not in chosen]
        if not differing:
            return tuple(parts)


def _brief(node: str, held: Member) -> Brief:
    version = held.card.version if held.card else 0
    return Brief(node, held.incarnation, held.standing, version)


def _wishes(
    state: Gossip, now: int, sender: str, theirs: Briefs, members: Members
) -> tuple[Gossip, tuple[Action, ...]]:
    ours = dict(members.within(frozenset(theirs.buckets)))
    told: list[Report] = []
    wanted: list[str] = []
    for row in theirs.rows:
        held = ours.pop(row.node, None)
        before = _brief(row.node, held) if held else None
        if before is None or _newer(row, before):
            wanted.append(row.node)
        if held and before and _newer(before, row):
            told.append(Report(row.node, held.incarnation, held.standing, held.card))
    told += (Report(node, m.incarnation, m.standing, m.card) for node, m in ours.items())
    lacking, sends = _items(state, now, sender, theirs.items)
    actions: list[Action] = [*sends, *_in_parts(sender, told, wanted, lacking)]
    return _hurried(state, now, len(told) + len(wanted)), tuple(actions)


def _newer(one: Brief, other: Brief) -> bool:
    if (one.incarnation, one.standing) > (other.incarnation, other.standing):
        return True
    return one.version > other.version and one.standing is not Standing.DEAD


def _items(
    state: Gossip, now: int, sender: str, theirs: tuple[str, ...] | None
) -> tuple[list[str], list[Action]]:
    if theirs is None:
        return [], []
    there = frozenset(theirs)
    lacking = [name for name in theirs if name not in state.items]
    sends: list[Action] = [
        Send(sender, item)
        for name, item in state.items.items()
        if name not in there and item.expires_at > now
    ]
    return lacking, sends[:MOST_REPORTS]


def _in_parts(
    sender: str, told: list[Report], wanted: list[str], items: list[str]
) -> tuple[Action, ...]:
    parts: list[Action] = []
    while told or wanted or items:
        rows = Rows(
            tuple(told[:MOST_REPORTS]), tuple(wanted[:MOST_BRIEFS]), tuple(items[:MOST_BRIEFS])
        )
        parts.append(Send(sender, rows))
        told, wanted, items = told[MOST_REPORTS:], wanted[MOST_BRIEFS:], items[MOST_BRIEFS:]
    return tuple(parts)


def _granted(
    state: Gossip, now: int, sender: str, rows: Rows, members: Members
) -> tuple[Gossip, tuple[Action, ...]]:
    told = [r for node in rows.wanted if (r := members.report(node))]
    actions: list[Action] = [Learn(rows.reports, hearsay=True)] if rows.reports else []
    actions += _in_parts(sender, told, [], [])
    actions += [
        Send(sender, item)
        for name in rows.items
        if (item := state.items.get(name)) and item.expires_at > now
    ]
    return _hurried(state, now, len(rows.reports)), tuple(actions)


def _hurried(state: Gossip, now: int, differences: int) -> Gossip:
    """Compare again soon after tables differed much: a partition has healed."""
    if differences < _MUCH or state.urgent:
        return state
    seed = stir(state.seed)
    soon = now + 1 + seed % (state.pace.urgent_ms * state.slow)
    return msgspec.structs.replace(state, seed=seed, urgent=True, sync_at=min(state.sync_at, soon))
