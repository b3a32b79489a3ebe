"""A simulated node's swarm: driven over the network, it dies without a word and comes back."""

from collections.abc import Callable

from hermes.mesh import detector_values as seen
from hermes.mesh import gossip_values as said
from hermes.mesh import swarm
from hermes.mesh.gossip_wire import Message, Topic
from hermes.mesh.members import Card, Members, Report, place
from hermes.testing.mesh_sim.network import Network

CARD_MS = 3_600_000
_NEVER = 1 << 60


def card_of(name: str, now: int) -> Card:
    """A card of a usual size."""
    load = place(name)[1] % 11
    held = ("chat", "tools", "train")
    return Card(now, now + CARD_MS, held, ("ember-1",), load, "0.5.0", proof="0" * 128)


class Peer:
    """One node's lives; `heard` and `noticed` hear of items and changes that are new."""

    def __init__(
        self,
        name: str,
        network: Network,
        heard: Callable[[str, Topic], None],
        noticed: Callable[[str, Report], None],
    ) -> None:
        self.name = name
        self.network = network
        self.refused = 0
        self.twins = 0
        self.lives: list[tuple[int, int]] = []
        self.up = False
        self.swarm = swarm.begin(name, network.now, 0)
        self._heard, self._noticed = heard, noticed
        self._wake, self._life = _NEVER, 0

    def start(self, seeds: tuple[str, ...], known: Members | None = None) -> None:
        """Begin a life that knows a few names, or whom it knew before."""
        now = self.network.now
        self._life += 1
        self.up = True
        self.lives.append((now, _NEVER))
        seed = self.network.random.getrandbits(63)
        self.swarm = swarm.begin(self.name, now, seed, card_of(self.name, now), members=known)
        self._wake = _NEVER
        self._take(swarm.Join(seeds) if seeds else swarm.Tick())

    def die(self) -> None:
        """Stop at once; nobody is told."""
        self.up = False
        self._life += 1
        self.lives[-1] = (self.lives[-1][0], self.network.now)

    def was_up(self, since: int, until: int) -> bool:
        """Whether one life covers the whole time."""
        return any(began <= since and until <= ended for began, ended in self.lives)

    def publish(self, item: Topic) -> None:
        """Say something to all."""
        self._take(swarm.Publish(item))

    def arrived(self, sender: str, message: Message) -> None:
        """Take a message from the network."""
        self._take(swarm.Heard(sender, message))

    def _tick(self, life: int, wake: int) -> None:
        if life == self._life and wake == self._wake:
            self._wake = _NEVER
            self._take(swarm.Tick())

    def _take(self, event: swarm.Event) -> None:
        now = self.network.now
        self.swarm, actions = swarm.step(self.swarm, now, event)
        for action in actions:
            if isinstance(action, said.Send | seen.Send):
                self.network.send(self.name, action.to, action.message)
            elif isinstance(action, seen.Changed):
                self._noticed(self.name, action.report)
            elif isinstance(action, said.Deliver):
                self._heard(self.name, action.item)
            elif isinstance(action, said.Refused):
                self.refused += 1
            else:
                self.twins += 1
        due = max(swarm.due(self.swarm), now + 1)
        if due < self._wake:
            self._wake = due
            self.network.at(due, self._tick, self._life, due)
