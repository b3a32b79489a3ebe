"""Rumours among two hundred nodes, by the mesh's own state machine, without a network."""

import random
from collections.abc import Iterator

from hermes.mesh.gossip import step
from hermes.mesh.gossip_values import Action, Event, Gossip, Heard, Learn, Send, Spread, Tick
from hermes.mesh.gossip_wire import encode_gossip
from hermes.mesh.members import Members, Report, Standing, merge

NODES, ROUNDS, NEWS = 200, 50, 3


class Mesh:
    """Every node's state, and who has heard what."""

    def __init__(self, chance: random.Random) -> None:
        self.names = [f"node-{chance.getrandbits(64):016x}" for _ in range(NODES)]
        reports = [Report(name, 1, Standing.ALIVE) for name in self.names]
        self.members, _ = merge(Members(), reports, 0)
        self.states = {name: Gossip(name, chance.getrandbits(32)) for name in self.names}
        self.known: set[tuple[str, Report]] = set()

    def step(self, name: str, now: int, event: Event) -> tuple[Action, ...]:
        """One event on one node."""
        self.states[name], actions = step(self.states[name], now, event)
        return actions

    def hear(self, one: Send, sender: str, now: int) -> None:
        """A message arrives; what is news there is told on."""
        for more in self.step(one.to, now, Heard(sender, one.message, self.members)):
            if isinstance(more, Learn) and not more.hearsay:
                fresh = [news for news in more.reports if (one.to, news) not in self.known]
                for news in fresh:
                    self.known.add((one.to, news))
                    self.step(one.to, now, Spread(news, self.members))


def work(chance: random.Random) -> Iterator[str]:
    """Who told what to whom, round by round."""
    mesh = Mesh(chance)
    for now in range(1_000, ROUNDS * 1_000, 1_000):
        for name in chance.sample(mesh.names, NEWS):
            news = Report(chance.choice(mesh.names), now, Standing.ALIVE)
            mesh.step(name, now, Spread(news, mesh.members))
        for name in mesh.names:
            for one in mesh.step(name, now, Tick(mesh.members)):
                if isinstance(one, Send):
                    yield f"{name} {one.to}"
                    yield encode_gossip(one.message)
                    mesh.hear(one, name, now)
