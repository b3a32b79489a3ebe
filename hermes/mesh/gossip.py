"""How news spreads: rumours by chance, things said to all over the rings, and what was missed.

Rumours (SWIM's dissemination) carry members' standing; a topic's item goes to every neighbour
once; tables are compared now and then (`reconcile`), so that nothing lost stays lost. Does not
guard against a member that says much: the driver bounds what one sender may say.
"""

import math

import msgspec

from hermes.mesh.chance import around, pick, stir
from hermes.mesh.gossip_values import (
    MOST_ITEMS,
    Action,
    Deliver,
    Event,
    Gossip,
    Heard,
    Join,
    Learn,
    Publish,
    Refused,
    Rumour,
    Send,
    Spread,
    Tick,
)
from hermes.mesh.gossip_wire import MOST_REPORTS, Rumours, Topic
from hermes.mesh.members import AHEAD_MS, Members, Standing
from hermes.mesh.reconcile import compare, opened, taken
from hermes.mesh.ring import neighbours, stands_between


def due(state: Gossip) -> int:
    """When the next tick has something to do."""
    return min(state.flush_at, state.sync_at) if state.rumours else state.sync_at


def step(state: Gossip, now: int, event: Event) -> tuple[Gossip, tuple[Action, ...]]:
    """Take one event."""
    match event:
        case Heard(sender, message, members):
            return _heard(state, now, sender, message, members)
        case Spread(_, members):
            return _spread(state, now, event, members), ()
        case Tick(members, slow):
            return _tick(msgspec.structs.replace(state, slow=slow), now, members)
        case Publish(item, members):
            return _topic(state, now, state.me, item, members)
        case Join(seeds, members):
            return state, tuple(Send(seed, opened(state, now, members)) for seed in seeds)


def others(state: Gossip, seed: int, members: Members, count: int) -> tuple[str, ...]:
    """Choose so many members by chance, without this node."""
    chosen = pick(seed, members.alive, count + 1)
    return tuple(node for node in chosen if node != state.me)[:count]


def _heard(
    state: Gossip, now: int, sender: str, message: object, members: Members
) -> tuple[Gossip, tuple[Action, ...]]:
    match message:
        case Rumours(reports):
            return state, (Learn(reports),)
        case Topic():
            return _topic(state, now, sender, message, members)
        case _:
            state, actions = compare(state, now, sender, message, members)
            return state, actions


def _spread(state: Gossip, now: int, news: Spread, members: Members) -> Gossip:
    """Remember to tell; and see whether the neighbours are still the same."""
    report, seed = news.report, stir(state.seed)
    rumours = state.rumours.copy()
    if news.told:
        rounds = 1 + math.ceil(1.5 * math.log10(len(members.alive) + 1))
        if report.standing is not Standing.ALIVE:
            report = msgspec.structs.replace(report, card=None)
        rumours[report.node] = Rumour(report, rounds)
    links: tuple[str, ...] | None = state.links
    if links is not None and report.node != state.me:
        gone = report.standing is Standing.DEAD
        if (report.node in links) if gone else stands_between(state.me, links, report.node):
            links = None
    flush_at = state.flush_at
    if rumours and not state.rumours:
        flush_at = max(flush_at, now + seed % state.pace.flush_ms)
    return msgspec.structs.replace(
        state, rumours=rumours, links=links, flush_at=flush_at, seed=seed
    )


def _tick(state: Gossip, now: int, members: Members) -> tuple[Gossip, tuple[Action, ...]]:
    actions: list[Action] = []
    if state.rumours and now >= state.flush_at:
        state, more = _flush(state, now, members)
        actions += more
    if now >= state.sync_at:
        seed = stir(state.seed)
        pause = around(seed >> 8, state.pace.sync_ms)
        state = msgspec.structs.replace(
            taken(state, now), seed=seed, sync_at=now + pause, urgent=False
        )
        message = opened(state, now, members)
        actions += [Send(one, message) for one in others(state, seed, members, 1)]
    return state, tuple(actions)


def _flush(state: Gossip, now: int, members: Members) -> tuple[Gossip, tuple[Action, ...]]:
    """Tell the least told rumours to a few members by chance."""
    seed = stir(state.seed)
    chosen = others(state, seed, members, state.pace.fanout)
    told = sorted(state.rumours.values(), key=lambda one: -one.left)[:MOST_REPORTS]
    rumours = state.rumours.copy()
    for one in told:
        if one.left <= 1:
            del rumours[one.report.node]
        else:
            rumours[one.report.node] = Rumour(one.report, one.left - 1)
    flush_at = now + around(seed >> 8, state.pace.flush_ms) * state.slow
    state = msgspec.structs.replace(state, rumours=rumours, seed=seed, flush_at=flush_at)
    message = Rumours(tuple(one.report for one in told))
    return state, tuple(Send(one, message) for one in chosen)


def _topic(
    state: Gossip, now: int, sender: str, item: Topic, members: Members
) -> tuple[Gossip, tuple[Action, ...]]:
    """Deliver a new item and pass it on to every neighbour but the one it came from."""
    if item.id in state.items:
        return state, ()
    if item.expires_at <= now or item.issued_at > now + AHEAD_MS:
        return state, (Refused(sender, item.id, "expired" if item.expires_at <= now else "early"),)
    if item.expires_at > item.issued_at + state.pace.keep_ms:
        return state, (Refused(sender, item.id, "kept too long"),)
    if len(state.items) >= MOST_ITEMS:
        state = taken(state, now)
        if len(state.items) >= MOST_ITEMS:
            return state, (Refused(sender, item.id, "too many"),)
    links = state.links
    if links is None:
        links = neighbours(state.me, members.alive)
    items = state.items.copy()
    items[item.id] = item
    state = msgspec.structs.replace(state, links=links, items=items)
    sends = tuple(Send(one, item) for one in links if one not in (sender, item.origin))
    return state, (Deliver(item), *sends)
