"""What a detector holds of others, and how reports change it; suspicions of itself it refutes."""

import math

import msgspec

from hermes.mesh.chance import stir
from hermes.mesh.detector_values import (
    Action,
    Changed,
    Detector,
    Send,
    Twin,
    myself,
    strained,
)
from hermes.mesh.gossip_wire import Ping
from hermes.mesh.members import AHEAD_MS, Card, Member, Report, Standing, changed, merge

_MUCH = 4


def renewed(state: Detector, now: int, incarnation: int, card: Card | None) -> Detector:
    """Say something else of this node."""
    own = Member(incarnation, Standing.ALIVE, now, card)
    members = changed(state.members, {state.me: own})
    return msgspec.structs.replace(state, incarnation=incarnation, card=card, members=members)


def told(
    state: Detector, now: int, reports: tuple[Report, ...], *, hearsay: bool = False
) -> tuple[Detector, tuple[Action, ...]]:
    """Merge reports; what was news comes out again, to be spread."""
    actions: list[Action] = []
    for report in reports:
        if report.node == state.me:
            state, more = refuted(state, now, report.incarnation, report.standing)
            actions += more or _another(state, now, report)
    others = [report for report in reports if report.node != state.me]
    members, news = merge(state.members, others, now, hearsay=hearsay)
    if not news:
        return state, tuple(actions)
    suspects, seed = state.suspects.copy(), state.seed
    for report in news:
        actions.append(Changed(report, spread=not hearsay))
        if report.standing is not Standing.SUSPECT:
            suspects.pop(report.node, None)
            continue
        suspects.setdefault(report.node, now + _patience(state))
        if hearsay:
            # Nobody else is told of this doubt: its subject is, and refutes it.
            seed = stir(seed)
            ping = Ping(seed >> 1, state.incarnation, report.incarnation, report.standing)
            actions.append(Send(report.node, ping))
    state = msgspec.structs.replace(state, members=members, suspects=suspects, seed=seed)
    return state, tuple(actions)


def refuted(
    state: Detector, now: int, incarnation: int, standing: Standing
) -> tuple[Detector, list[Action]]:
    """Answer what is said of this node: overbid a suspicion, notice a twin."""
    if incarnation < state.incarnation or incarnation > now + AHEAD_MS:
        return state, []
    if standing is Standing.ALIVE:
        if incarnation == state.incarnation:
            return state, []
        # Taken over as it is: two twins that outbid each other would flood the mesh.
        state = renewed(state, now, incarnation, state.card)
        return state, [Twin(incarnation)]
    state = strained(renewed(state, now, incarnation + 1, state.card), 1)
    return state, [Changed(myself(state))]


def _another(state: Detector, now: int, report: Report) -> list[Action]:
    """A card of this life that this node did not make: its twin did."""
    if report.card is None or not state.made or report.incarnation != state.incarnation:
        return []
    version = report.card.version
    known = version < state.made[0] or version in state.made or version > now + AHEAD_MS
    return [] if known else [Twin(report.incarnation)]


def _patience(state: Detector) -> int:
    size = max(1.0, math.log10(len(state.members.alive) + 1))
    # A little strain is usual where others die: only much of it puts their deaths off.
    return int(state.pace.suspicion_ms * size * (1 + state.strain // _MUCH))


def seen(
    state: Detector, now: int, node: str, incarnation: int
) -> tuple[Detector, tuple[Action, ...]]:
    """Take a node's own word for its incarnation: alive beats what is held of an older life."""
    held = state.members.get(node)
    if node == state.me or (held and held.incarnation >= incarnation):
        return state, ()
    return told(state, now, (Report(node, incarnation, Standing.ALIVE),))
