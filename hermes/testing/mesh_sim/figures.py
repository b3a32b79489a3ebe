"""What a simulated mesh achieved: delivery, spread, how soon a failure was seen, traffic."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hermes.testing.mesh_sim.world import World


def quantile(values: Sequence[float], share: float) -> float:
    """The value that so large a share does not exceed; not a number where there is none."""
    ordered = sorted(values)
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else math.nan


@dataclass(frozen=True)
class Delivery:
    """Topic items: the share that reached who was there, and how long the 99 % took."""

    share: float
    p99_ms: float
    pairs: int


def delivery(world: World, window_ms: int = 20_000) -> Delivery:
    """Count a pair of item and node where the node was up from the item's issue for a while."""
    expected, took = 0, []
    for item, reached in world.items.values():
        until = item.issued_at + window_ms
        if until > world.network.now:
            continue
        for name, peer in world.peers.items():
            if name != item.origin and peer.was_up(item.issued_at, until):
                expected += 1
                if (ms := reached.get(name)) is not None:
                    took.append(ms)
    return Delivery(len(took) / expected if expected else math.nan, quantile(took, 0.99), expected)


def seen_ms(world: World, window_ms: int = 55_000) -> list[float]:
    """How long each who was there took to hold each dead node for dead; infinite: it did not."""
    took: list[float] = []
    for (_, died), seen in world.deaths.items():
        if died + window_ms > world.network.now:
            continue
        for name, peer in world.peers.items():
            if peer.was_up(died, died + window_ms):
                took.append(seen.get(name, math.inf))
    return took


def agreed(world: World) -> float:
    """The share of pairs in which one who is there holds another who is there for alive."""
    up = frozenset(world.up)
    right = sum(len(up.intersection(world.peers[one].swarm.members.alive)) for one in up)
    return right / len(up) ** 2


def until_agreed(world: World, limit_ms: int, step_ms: int = 1_000) -> float:
    """Milliseconds until all who are there hold each other for alive; infinite past the limit."""
    for passed in range(step_ms, limit_ms + 1, step_ms):
        world.run(step_ms)
        if agreed(world) == 1.0:
            return passed
    return math.inf


@dataclass(frozen=True)
class Cost:
    """A node's traffic in a minute: mean, and the most of any node, in kB before sealing."""

    messages: float
    mean_kb: float
    most_kb: float
    sealed_kb: float


def cost(world: World, ms: int) -> Cost:
    """Traffic by node and minute over the time given."""
    traffic, minutes, count = world.network.traffic, ms / 60_000, len(world.names)
    return Cost(
        traffic.messages.total() / count / minutes,
        traffic.size.total() / count / minutes / 1000,
        max(traffic.size.values(), default=0) / minutes / 1000,
        sum(traffic.sealed(name) for name in world.names) / count / minutes / 1000,
    )


def twice(world: World) -> int:
    """How many messages had more than one effect."""
    return sum(times > 1 for times in world.sink.effects.values())


def answered(world: World) -> float:
    """The share of what was said that was answered (an interruption that is shown is one)."""
    return len(world.sink.answered) / len(world.said) if world.said else math.nan
