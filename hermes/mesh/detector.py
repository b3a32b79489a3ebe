"""Who is there: asked in turn, then through others, suspected, and only then held for dead.

After SWIM (Das, Gupta, Motivala 2002) with memberlist's suspicion that grows with the logarithm
of the mesh, and self-doubt after Lifeguard (Dadgar, Phillips, Currey 2018): who gets answers too
late, or is suspected, asks less and waits longer, so that slow machines do not bury each other and
drown in the news of it. The dead are asked now and then, so that a healed partition is noticed.
Does not guard against a member that answers for another: what comes through helpers is trusted.
"""

import msgspec

from hermes.mesh.chance import around, pick, shuffled, stir
from hermes.mesh.detector_values import (
    ERRANDS,
    Action,
    Asked,
    Back,
    Changed,
    Detector,
    Errand,
    Event,
    Present,
    Probe,
    Send,
    Tick,
    Told,
    myself,
    strained,
    stretched,
)
from hermes.mesh.detector_view import refuted, renewed, seen, told
from hermes.mesh.gossip_wire import Ack, Ping, PingFor
from hermes.mesh.members import Member, Report, Standing, changed

_MISSED = 7  # and the newest
_MAY_BE_MINE = 2  # strain by mere silence, which may be the other's death: then no more of it
_CARDS = 31  # of its own that a node remembers, and the newest


def due(state: Detector) -> int:
    """When the next tick has something to do."""
    probe = state.probe
    asking = probe.sent_at + _wait(state, probe) if probe else state.probe_at
    return min(asking, state.reach_at, *state.suspects.values())


def step(state: Detector, now: int, event: Event) -> tuple[Detector, tuple[Action, ...]]:
    """Take one event."""
    match event:
        case Tick():
            return _tick(state, now)
        case Asked(sender, message):
            return _said(state, now, sender, message)
        case Told(reports, hearsay):
            return told(state, now, reports, hearsay=hearsay)
        case Present(card):
            made = (*state.made[-_CARDS:], card.version)
            state = renewed(state, now, state.incarnation, card)
            state = msgspec.structs.replace(state, made=made)
            return state, (Changed(myself(state)),)
        case Back():
            return _back(state)


def _back(state: Detector) -> tuple[Detector, tuple[Action, ...]]:
    """Ask those who did not answer, some of many: what was silent was this node's own line."""
    seed, members = stir(state.seed), state.members
    silent = [node for node in members.table if members.table[node].standing is not Standing.ALIVE]
    chosen = pick(seed, silent, state.pace.most_back)
    state = msgspec.structs.replace(state, seed=seed, strain=0, missed=())
    return state, tuple(Send(one, _ping(state, one, stir(seed) >> 1)) for one in chosen)


def _said(
    state: Detector, now: int, sender: str, message: Ping | Ack | PingFor
) -> tuple[Detector, tuple[Action, ...]]:
    match message:
        case Ping():
            return _asked(state, now, sender, message)
        case Ack():
            return _answered(state, now, sender, message)
        case PingFor():
            return _asked_for(state, now, sender, message)


def _asked(
    state: Detector, now: int, sender: str, ping: Ping
) -> tuple[Detector, tuple[Action, ...]]:
    state, about_me = refuted(state, now, ping.held, ping.standing)
    state, news = seen(state, now, sender, ping.incarnation)
    held = state.members.get(sender)
    ack = Ack(
        ping.nonce,
        state.me,
        state.incarnation,
        held.incarnation if held else 0,
        held.standing if held else Standing.ALIVE,
    )
    return state, (*about_me, *news, Send(sender, ack))


def _answered(
    state: Detector, now: int, sender: str, ack: Ack
) -> tuple[Detector, tuple[Action, ...]]:
    actions: list[Action] = []
    if errand := state.errands.get(ack.nonce):
        errands = {nonce: one for nonce, one in state.errands.items() if nonce != ack.nonce}
        state = msgspec.structs.replace(state, errands=errands)
        if ack.node == sender:
            actions.append(Send(errand.asker, Ack(errand.nonce, sender, ack.incarnation)))
    if ack.node == sender:
        state, about_me = refuted(state, now, ack.held, ack.standing)
        actions += about_me
    if state.probe and state.probe.nonce == ack.nonce and state.probe.target == ack.node:
        eased = state if state.probe.helped else strained(state, -1)
        state = msgspec.structs.replace(eased, probe=None)
        state, news = seen(state, now, ack.node, ack.incarnation)
        actions += news
    elif ack.node == sender:
        state, news = seen(_late(state, ack.nonce), now, sender, ack.incarnation)
        actions += news
    return state, tuple(actions)


def _late(state: Detector, nonce: int) -> Detector:
    """An answer that was given up comes after all: it should have been waited for."""
    if nonce not in state.missed:
        return state
    missed = tuple(one for one in state.missed if one != nonce)
    return strained(msgspec.structs.replace(state, missed=missed), 1)


def _asked_for(
    state: Detector, now: int, sender: str, request: PingFor
) -> tuple[Detector, tuple[Action, ...]]:
    if request.target == state.me or not state.members.get(request.target):
        return state, ()
    errands = {nonce: one for nonce, one in state.errands.items() if one.expires_at > now}
    if len(errands) >= ERRANDS:
        return state, ()
    seed = stir(state.seed)
    nonce = seed >> 1
    errands[nonce] = Errand(sender, request.nonce, now + stretched(state, state.pace.helped_ms))
    state = msgspec.structs.replace(state, errands=errands, seed=seed)
    return state, (Send(request.target, _ping(state, request.target, nonce)),)


def _ping(state: Detector, target: str, nonce: int) -> Ping:
    held = state.members.get(target)
    if held is None:
        return Ping(nonce, state.incarnation)
    return Ping(nonce, state.incarnation, held.incarnation, held.standing)


def _tick(state: Detector, now: int) -> tuple[Detector, tuple[Action, ...]]:
    actions: list[Action] = []
    if any(deadline <= now for deadline in state.suspects.values()):
        state, more = _bury(state, now)
        actions += more
    if state.probe:
        state, more = _press(state, now, state.probe)
        actions += more
    if now >= state.probe_at and state.probe is None:
        state, more = _probe_next(state, now)
        actions += more
    if now >= state.reach_at:
        state, more = _reach(state, now)
        actions += more
    return state, tuple(actions)


def _bury(state: Detector, now: int) -> tuple[Detector, tuple[Action, ...]]:
    reports = []
    for node, deadline in state.suspects.items():
        held = state.members.get(node)
        if deadline <= now and held and held.standing is Standing.SUSPECT:
            reports.append(Report(node, held.incarnation, Standing.DEAD))
    suspects = {node: at for node, at in state.suspects.items() if at > now}
    return told(msgspec.structs.replace(state, suspects=suspects), now, tuple(reports))


def _press(state: Detector, now: int, probe: Probe) -> tuple[Detector, tuple[Action, ...]]:
    if now < probe.sent_at + _wait(state, probe):
        return state, ()
    if not probe.helped:
        seed = stir(state.seed)
        near = (probe.target, state.me)
        chosen = pick(seed, [n for n in state.members.alive if n not in near], state.pace.helpers)
        # From now, not from when it was due: after a sleep the helpers still get their time.
        probe = msgspec.structs.replace(probe, helped=True, sent_at=now)
        state = msgspec.structs.replace(state, probe=probe, seed=seed)
        return state, tuple(Send(one, PingFor(probe.nonce, probe.target)) for one in chosen)
    missed = (*state.missed[-_MISSED:], probe.nonce)
    if state.strain < _MAY_BE_MINE:
        state = strained(state, 1)
    state = msgspec.structs.replace(state, probe=None, missed=missed)
    held = state.members.get(probe.target)
    if held is None or held.standing is not Standing.ALIVE:
        return state, ()
    return told(state, now, (Report(probe.target, held.incarnation, Standing.SUSPECT),))


def _wait(state: Detector, probe: Probe) -> int:
    """How long an answer may take, from when it was asked for last."""
    pace = state.pace
    return stretched(state, pace.helped_ms - pace.ack_ms if probe.helped else pace.ack_ms)


def _probe_next(state: Detector, now: int) -> tuple[Detector, tuple[Action, ...]]:
    seed = stir(state.seed)
    state = msgspec.structs.replace(
        state, seed=seed, probe_at=now + stretched(state, around(seed >> 8, state.pace.probe_ms))
    )
    order = state.order or shuffled(seed, state.members.alive)
    while order and (order[0] == state.me or not state.members.is_alive(order[0])):
        order = order[1:]
    if not order:
        return msgspec.structs.replace(state, order=()), ()
    nonce = stir(seed ^ now) >> 1
    probe = Probe(order[0], nonce, now)
    state = msgspec.structs.replace(state, order=order[1:], probe=probe)
    return state, (Send(probe.target, _ping(state, probe.target, nonce)),)


def _reach(state: Detector, now: int) -> tuple[Detector, tuple[Action, ...]]:
    """Ask one of the dead, and forget those who are it for too long."""
    seed = stir(state.seed)
    members = state.members
    old: dict[str, Member | None] = {
        node: None
        for node in members.dead
        if members.table[node].since + state.pace.forget_ms <= now
    }
    if old:
        members = changed(members, old)
    state = msgspec.structs.replace(
        state, seed=seed, members=members, reach_at=now + around(seed >> 8, state.pace.reach_ms)
    )
    chosen = pick(seed, members.dead, 1)
    return state, tuple(Send(one, _ping(state, one, stir(seed) >> 1)) for one in chosen)
