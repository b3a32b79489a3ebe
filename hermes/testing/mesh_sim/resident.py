"""A simulated node of a fleet: mail, leases, routing and intents, as the live node has them.

What is stored before it is acted on survives a death, the rest does not. Effects go to a sink
that counts them, so that one thing done twice anywhere in the fleet is seen.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec

from hermes.mesh import inbox, intents, lease, outbox, routing
from hermes.mesh import lease_values as leasing
from hermes.mesh.lease_votes import restored
from hermes.testing.mesh_sim.network import Network

WAY = "sim"
_AGAIN_MS = 3_000
_TICK_MS = 400


class Mail(msgspec.Struct, frozen=True, gc=False, tag="mail"):
    """A parcel, or the answer to one, inside a letter."""

    id: str
    parcel: routing.Parcel
    answer: bool = False


class Receipt(msgspec.Struct, frozen=True, gc=False, tag="receipt"):
    """The letter is there."""

    id: str


class Sink:
    """Where effects become real: counted by message; and who held what, from when to when."""

    def __init__(self) -> None:
        self.effects: Counter[str] = Counter()
        self.answered: dict[str, int] = {}
        self.interrupted: set[str] = set()
        self.held: list[tuple[str, leasing.Fence, int, int]] = []

        self._places: dict[tuple[str, str], list[int]] = {}

    def gained(self, key: str, fence: leasing.Fence, now: int, until: int) -> None:
        """A lease began or was renewed."""
        self._places.setdefault((key, fence.holder), []).append(len(self.held))
        self.held.append((key, fence, now, until))

    def gave_up(self, key: str, holder: str, now: int) -> None:
        """A holder let go of a key, perhaps before its time."""
        for at in reversed(self._places.get((key, holder), [])):
            _, fence, since, until = self.held[at]
            if until <= now:
                return
            self.held[at] = (key, fence, since, max(since, now))


class Disk:
    """What survives a death."""

    def __init__(self) -> None:
        self.promises: dict[str, leasing.Promise] = {}
        self.seen: dict[str, inbox.Seen] = {}
        self.books: dict[str, intents.Book] = {}
        self.letters: dict[str, tuple[outbox.Letter, Mail]] = {}
        self.unanswered: dict[str, routing.Parcel] = {}


class Resident:
    """One node of a fleet; who of the fleet is there it learns from `live`."""

    def __init__(
        self, name: str, fleet: tuple[str, ...], network: Network, sink: Sink, terms: leasing.Terms
    ) -> None:
        self.name, self.fleet, self.network, self.sink = name, fleet, network, sink
        self.terms, self.disk, self._life = terms, Disk(), 0
        self.up = False
        self.skew = 0

    @property
    def now(self) -> int:
        """The time as this node's clock shows it."""
        return self.network.now + self.skew

    def leap(self, ms: int) -> None:
        """Its clock is set; one that is set back makes the live node's mesh begin anew."""
        self.skew += ms
        if ms < 0 and self.up:
            self.die()
            self.start()

    def start(self) -> None:
        """Begin a life with what the disk holds."""
        now, disk = self.now, self.disk
        self._life += 1
        self.up = True
        promises = tuple(disk.promises.values())
        self.leases = restored(self.name, self.terms, promises, now, turn=self._life << 32)
        self.inbox, _ = inbox.restored(tuple(disk.seen.values()))
        self.outbox = outbox.Outbox(links={WAY: 1.0})
        self.routes = routing.Routes(self.name)
        self.intents = intents.Intents(self.name, self.fleet, dict(disk.books))
        self._came: dict[str, routing.Parcel] = {}
        self._again_at = now
        for letter, _ in tuple(disk.letters.values()):
            self._post(outbox.Put(letter))
        self.live(self.fleet)
        self._tick(self._life)

    def die(self) -> None:
        """Stop at once; nobody is told."""
        self.up = False
        self._life += 1

    def live(self, nodes: Iterable[str]) -> None:
        """Hear who of the fleet is there."""
        there = tuple(nodes)
        self._lease(leasing.Fleet(self.fleet, there))
        self._route(routing.Fleet(there))

    def say(self, parcel: routing.Parcel) -> None:
        """A person says something at this node: it is routed until it is answered."""
        self.disk.unanswered[parcel.id] = parcel
        self._route(routing.Came(parcel))

    def arrived(self, sender: str, message: object) -> None:
        """Take a message from the network."""
        if isinstance(message, Mail):
            self._open(sender, message)
        elif isinstance(message, Receipt):
            self._post(outbox.Acknowledged(message.id, sender))
        elif isinstance(message, intents.IntentMessage):
            self._intend(intents.Heard(sender, message))
        elif isinstance(message, leasing.LeaseMessage):
            self._lease(leasing.Heard(sender, message))

    def _tick(self, life: int) -> None:
        if life != self._life:
            return
        self._lease(leasing.Tick())
        self._intend(intents.Tick())
        self._post(outbox.Tick())
        self._route(routing.Tick())
        now = self.now
        if now >= self._again_at:
            self._again_at = now + _AGAIN_MS
            for parcel in tuple(self.disk.unanswered.values()):
                self._route(routing.Came(parcel))
        self.network.at(self.network.now + _TICK_MS, self._tick, life)

    def _open(self, sender: str, mail: Mail) -> None:
        expires = mail.parcel.expires_at + inbox.KEEP_MS
        arrived = inbox.Arrived(mail.id, sender, expires)
        self.inbox, actions = inbox.step(self.inbox, self.now, arrived)
        for action in actions:
            match action:
                case inbox.Note(seen):
                    self.disk.seen[seen.id] = seen
                case inbox.Acknowledge(name, to):
                    self.network.send(self.name, to, Receipt(name))
                case inbox.Effect():
                    self._read(mail)
                    done = inbox.Finished(mail.id)
                    self.inbox, more = inbox.step(self.inbox, self.now, done)
                    self.network.send(self.name, sender, Receipt(mail.id))
                    self.disk.seen |= {
                        one.seen.id: one.seen for one in more if isinstance(one, inbox.Note)
                    }

    def _read(self, mail: Mail) -> None:
        if not mail.answer:
            self._route(routing.Came(mail.parcel))
        elif self.disk.unanswered.pop(mail.parcel.id, None):
            self.sink.answered.setdefault(mail.parcel.id, self.network.now)

    def _mail(self, to: str, parcel: routing.Parcel, *, answer: bool = False) -> None:
        name = f"{parcel.id}/{'a' if answer else parcel.hops}/{self.name}/{self.now}"
        mail = Mail(name, parcel, answer)
        if to == self.name:
            self._read(mail)
            return
        letter = outbox.Letter(name, to, parcel.expires_at, parcel.conversation)
        self.disk.letters[name] = (letter, mail)
        self._post(outbox.Put(letter))

    def _post(self, event: outbox.Event) -> None:
        self.outbox, actions = outbox.step(self.outbox, self.now, event)
        for action in actions:
            if isinstance(action, outbox.Transmit):
                mail = self.disk.letters[action.letter.id][1]
                self.network.send(self.name, action.letter.to, mail)
            else:
                self.disk.letters.pop(action.letter.id, None)

    def _route(self, event: routing.Event) -> None:
        self.routes, actions = routing.step(self.routes, self.now, event)
        for action in actions:
            match action:
                case routing.Handle(parcel, epoch):
                    self._came[parcel.id] = parcel
                    self._intend(intents.Propose(parcel.conversation, epoch, parcel.id))
                case routing.Forward(parcel, to):
                    self._mail(to, parcel)
                case routing.Claim(conversation):
                    self._lease(leasing.Want(conversation))
                case routing.Undelivered(parcel, _):
                    self.disk.unanswered.pop(parcel.id, None)

    def _lease(self, event: leasing.Event) -> None:
        self.leases, actions = lease.step(self.leases, self.now, event)
        for action in actions:
            match action:
                case leasing.Store(promise):
                    self.disk.promises[promise.key] = promise
                case leasing.Send(to, message):
                    self.network.send(self.name, to, message)
                case leasing.Gained(key, fence, until, renewed):
                    self.sink.gained(key, fence, self.network.now, until - self.skew)
                    self._settled(key, fence, until)
                    if not renewed:
                        self._intend(intents.Began(key, fence.epoch))
                case leasing.Known(key, fence, until):
                    self._settled(key, fence, until)
                case leasing.Lost(key, _):
                    self.sink.gave_up(key, self.name, self.network.now)
                    self._intend(intents.Ended(key))
                    self._route(routing.Unsettled(key))

    def _settled(self, key: str, fence: leasing.Fence, until: int) -> None:
        self._route(routing.Settled(key, routing.Home(fence.holder, fence.epoch, until)))

    def _intend(self, event: intents.Event) -> None:
        self.intents, actions = intents.step(self.intents, self.now, event)
        for action in actions:
            match action:
                case intents.Send(to, message):
                    self.network.send(self.name, to, message)
                case intents.Store(conversation, book):
                    self.disk.books[conversation] = book
                case intents.Go(conversation, name):
                    tenure = self.leases.tenures.get(conversation)
                    if tenure and self.now < tenure.until:
                        self.sink.effects[name] += 1
                        self._answer(name)
                case intents.Already(_, name):
                    if not self.sink.effects[name]:
                        self.sink.interrupted.add(name)
                    self._answer(name)

    def _answer(self, name: str) -> None:
        parcel = self._came[name]
        self._mail(parcel.origin, parcel, answer=True)
