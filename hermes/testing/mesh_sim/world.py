"""A whole mesh: nodes that know each other, fleets among them, and what befalls them."""

import hashlib

from hermes.mesh import lease_values as leasing
from hermes.mesh.gossip_wire import Message, Topic
from hermes.mesh.members import Member, Members, Report, Standing, changed
from hermes.mesh.routing import Parcel
from hermes.testing.mesh_sim.network import Faults, Network
from hermes.testing.mesh_sim.peer import Peer, card_of
from hermes.testing.mesh_sim.resident import Resident, Sink

START_MS = 1_760_000_000_000
ITEM_MS = 60_000


class World:
    """So many nodes in fleets of so many (0: none); `seed` settles everything that happens."""

    def __init__(
        self, seed: int, count: int, *, fleet: int = 0, faults: Faults | None = None
    ) -> None:
        self.network = Network(seed, faults or Faults(), START_MS)
        self.random = self.network.random
        self.sink = Sink()
        self.names = tuple(sorted(hashlib.sha256(b"%d" % i).hexdigest() for i in range(count)))
        self.peers = {n: Peer(n, self.network, self._heard, self._noticed) for n in self.names}
        self.residents: dict[str, Resident] = {}
        self.items: dict[str, tuple[Topic, dict[str, int]]] = {}
        self.deaths: dict[tuple[str, int], dict[str, int]] = {}
        self.said: dict[str, Parcel] = {}
        self.wrongly_dead = 0
        self._last_death: dict[str, int] = {}
        for place in range(0, count, fleet) if fleet else ():
            together = self.names[place : place + fleet]
            for name in together:
                terms = leasing.Terms(lease_ms=10_000)
                self.residents[name] = Resident(name, together, self.network, self.sink, terms)
        self._begin()

    def _begin(self) -> None:
        """All are there and know each other: meshes grow, they do not appear."""
        now = self.network.now
        known = changed(
            Members(),
            {n: Member(now, Standing.ALIVE, now, card_of(n, now)) for n in self.names},
        )
        for name in self.names:
            self._start(name, (), known)

    def _start(self, name: str, seeds: tuple[str, ...], known: Members) -> None:
        self.network.attach(name, lambda sender, message: self._arrived(name, sender, message))
        self.peers[name].start(seeds, known)
        if resident := self.residents.get(name):
            resident.start()

    def _arrived(self, name: str, sender: str, message: object) -> None:
        if isinstance(message, Message):
            self.peers[name].arrived(sender, message)
        elif resident := self.residents.get(name):
            resident.arrived(sender, message)

    @property
    def up(self) -> list[str]:
        """Who is there."""
        return [name for name in self.names if self.peers[name].up]

    def run(self, ms: int) -> None:
        """Let time pass."""
        self.network.run(self.network.now + ms)

    def kill(self, name: str, *, back_ms: int = 0) -> None:
        """End a node without a word; it comes back with what it knew, or never."""
        peer, now = self.peers[name], self.network.now
        peer.die()
        self.network.detach(name)
        if resident := self.residents.get(name):
            resident.die()
        self.deaths[name, now] = {}
        self._last_death[name] = now
        if back_ms:
            seeds = tuple(self.random.sample(self.names, 3))
            self.network.at(now + back_ms, self._start, name, seeds, peer.swarm.members)

    def churn(self, a_minute: float, ms: int, *, back_ms: int = 60_000) -> None:
        """Kill that share of the nodes each minute, evenly, over the time to come."""
        pause = int(60_000 / (a_minute * len(self.names)))
        for at in range(pause, ms, pause):
            self.network.at(self.network.now + at, self._one_dies, back_ms)

    def _one_dies(self, back_ms: int) -> None:
        self.kill(self.random.choice(self.up), back_ms=back_ms)

    def publish(self, size: int = 400) -> None:
        """Somebody who is there says something to all."""
        now, origin = self.network.now, self.random.choice(self.up)
        item = Topic(f"item{len(self.items)}", "t", origin, now, now + ITEM_MS, "x" * size)
        self.items[item.id] = (item, {})
        self.peers[origin].publish(item)

    def publish_often(self, pause_ms: int, ms: int) -> None:
        """Publish again and again over the time to come."""
        for at in range(0, ms, pause_ms):
            self.network.at(self.network.now + at, self.publish)

    def say_often(self, pause_ms: int, ms: int, valid_ms: int) -> None:
        """People say something to their fleets again and again over the time to come."""
        for at in range(0, ms, pause_ms):
            self.network.at(self.network.now + at, self._say, valid_ms)

    def _say(self, valid_ms: int) -> None:
        origin = self.random.choice([name for name in self.up if name in self.residents])
        resident = self.residents[origin]
        expires = self.network.now + valid_ms
        parcel = Parcel(f"said{len(self.said)}", resident.fleet[0], origin, expires)
        self.said[parcel.id] = parcel
        resident.say(parcel)

    def _heard(self, name: str, item: Topic) -> None:
        self.items[item.id][1].setdefault(name, self.network.now - item.issued_at)

    def _noticed(self, name: str, report: Report) -> None:
        if report.standing is Standing.DEAD:
            died, peer = self._last_death.get(report.node), self.peers[report.node]
            if peer.up and report.incarnation >= peer.lives[-1][0]:
                self.wrongly_dead += 1
            elif died is not None and not peer.up:
                self.deaths[report.node, died].setdefault(name, self.network.now - died)
        resident = self.residents.get(name)
        if resident and resident.up and report.node in resident.fleet:
            members = self.peers[name].swarm.members
            resident.live(one for one in resident.fleet if members.is_alive(one))
