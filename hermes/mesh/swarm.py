"""One node's part in the mesh as a whole: the detector and gossip, fed with each other's news.

The live node and the simulator drive this very module; what comes out is messages to send, items
to deliver and changes to show.
"""

from collections import deque

import msgspec

from hermes.mesh import detector, gossip
from hermes.mesh import detector_values as seen
from hermes.mesh import gossip_values as said
from hermes.mesh.chance import stir
from hermes.mesh.gossip_wire import Message, Probing, Topic
from hermes.mesh.members import Card, Member, Members, Standing, changed


class Swarm(msgspec.Struct, frozen=True):
    """The two machines of one node."""

    detector: seen.Detector
    gossip: said.Gossip

    @property
    def members(self) -> Members:
        """Who is known, and how they stand."""
        return self.detector.members


class Tick(msgspec.Struct, frozen=True):
    """Time has passed: wanted no later than `due`."""


class Heard(msgspec.Struct, frozen=True):
    """A message came; its sender is proved by the envelope."""

    sender: str
    message: Message


class Publish(msgspec.Struct, frozen=True):
    """Say something to all."""

    item: Topic


class Join(msgspec.Struct, frozen=True):
    """Meet the mesh through these nodes."""

    seeds: tuple[str, ...]


Event = Tick | Heard | Publish | Join | seen.Present | seen.Back
Action = said.Send | seen.Send | said.Deliver | said.Refused | seen.Changed | seen.Twin


def begin(
    me: str,
    now: int,
    seed: int,
    card: Card | None = None,
    *,
    members: Members | None = None,
    pace: tuple[seen.Pace, said.Pace] | None = None,
) -> Swarm:
    """Start a life: its incarnation is the time, so that it overrides earlier ones.

    `members`: who was known in the life before; what has become of them is asked anew.
    """
    to_see, to_say = pace or (seen.Pace(), said.Pace())
    known, own = members or Members(), Member(now, Standing.ALIVE, now, card)
    seed = stir(seed)
    return Swarm(
        seen.Detector(
            me,
            now,
            seed,
            to_see,
            card,
            known if known.get(me) == own else changed(known, {me: own}),
            probe_at=now + seed % to_see.probe_ms,
            reach_at=now + (seed >> 16) % to_see.reach_ms,
        ),
        said.Gossip(me, stir(seed), to_say, sync_at=now + (seed >> 32) % to_say.sync_ms),
    )


def due(state: Swarm) -> int:
    """When the next tick has something to do."""
    return min(detector.due(state.detector), gossip.due(state.gossip))


def step(state: Swarm, now: int, event: Event) -> tuple[Swarm, tuple[Action, ...]]:
    """Take one event."""
    match event:
        case Heard(sender, message):
            if isinstance(message, Probing):
                return _fed(state, now, seen.Asked(sender, message))
            return _fed(state, now, said.Heard(sender, message, state.members))
        case Tick():
            slow = 1 + state.detector.strain
            return _fed(state, now, seen.Tick(), said.Tick(state.members, slow))
        case Publish(item):
            return _fed(state, now, said.Publish(item, state.members))
        case Join(seeds):
            news = said.Spread(seen.myself(state.detector), state.members)
            return _fed(state, now, news, said.Join(seeds, state.members))
        case seen.Present() | seen.Back():
            return _fed(state, now, event)


def _fed(
    state: Swarm, now: int, *given: seen.Event | said.Event
) -> tuple[Swarm, tuple[Action, ...]]:
    """Feed the machines until neither has news for the other."""
    watching, saying = state.detector, state.gossip
    events = deque(given)
    actions: list[Action] = []
    while events:
        event = events.popleft()
        if isinstance(event, seen.Event):
            watching, seen_actions = detector.step(watching, now, event)
            for action in seen_actions:
                if isinstance(action, seen.Changed):
                    events.append(said.Spread(action.report, watching.members, action.spread))
                actions.append(action)
        else:
            saying, said_actions = gossip.step(saying, now, event)
            for one in said_actions:
                if isinstance(one, said.Learn):
                    events.append(seen.Told(one.reports, one.hearsay))
                else:
                    actions.append(one)
    return Swarm(watching, saying), tuple(actions)


def standing(state: Swarm, node: str) -> Standing | None:
    """How a node stands; None: never heard of."""
    held = state.members.get(node)
    return held.standing if held else None
