"""Gossip and presence on a live node: the swarm of the simulator, over the post office.

Bounds what one member may say, drops what is of strangers or not its author's own. Does not
guard against a member that lies about how others stand.
"""

import math
import secrets
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

import anyio
import msgspec
from anyio.streams.memory import MemoryObjectReceiveStream

from hermes.core.clock import Clock
from hermes.identity.hot import HotKey
from hermes.mesh import detector_values as seen
from hermes.mesh import gossip_values as said
from hermes.mesh import swarm
from hermes.mesh.detector_view import renewed
from hermes.mesh.envelope import Envelope, Letter
from hermes.mesh.gossip_wire import (
    Message,
    Probing,
    Rows,
    Rumours,
    Topic,
    Unread,
    decode_gossip,
    encode_gossip,
)
from hermes.mesh.members import AHEAD_MS, Card, Member, Report, Standing
from hermes.mesh.post import Post
from hermes.mesh.proofs import card_holds, signed_card, signed_topic, topic_holds

GOSSIP = "gossip"
_TTL_MS = 30_000
_ROOM = 512
_SENDERS = 4
_WINDOW_S, _MOST = 10.0, 600
_KNOCK_S, _KNOCKS = 2.0, 3  # a large fleet may have many machines that are switched off
_LIVES = 2.5  # a card outlives so many of its renewals


class People(Protocol):
    """Who belongs here."""

    @property
    def others(self) -> tuple[str, ...]:
        """The members without this node."""
        ...

    def admits(self, node: str) -> bool:
        """Whether a key is a member's."""
        ...


class Presence:
    """One node among its fleet; `run` must run while it is asked.

    Args:
        key: this node's.
        post: the post office, open.
        people: whom it listens to.
        clock: the time.
        card: what this node says of itself just now; expiry and proof are filled in here.
        every_s: between two signs of life.
    """

    def __init__(
        self,
        key: HotKey,
        post: Post,
        people: People,
        clock: Clock,
        card: Callable[[], Awaitable[Card]],
        every_s: float,
    ) -> None:
        self._key = key
        self._post = post
        self._people = people
        self._clock = clock
        self._card = card
        self._every_s = every_s
        self._state = swarm.begin(key.public, clock.now_ms(), secrets.randbits(63))
        self._wake = anyio.Event()
        self._waiting = {first: deque[Letter]() for first in (True, False)}
        self._letters = anyio.Semaphore(0)
        self._heard: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        """What was not taken or not sent, by reason."""
        self.learnt: Callable[[Report], None] = lambda _report: None
        """Hears of each change in how a member stands."""
        self.told: Callable[[Topic], None] = lambda _item: None
        """Hears each item that somebody says to all."""
        self.twin: Callable[[], None] = lambda: None
        """Is called when another node lives under this key."""

    @property
    def life(self) -> int:
        """The incarnation: when this life of the node began, or later."""
        return self._state.detector.incarnation

    def outlive(self, life: int) -> None:
        """Begin later than an earlier life of this node, whatever the clock says.

        It may have been set back: who is older than what others remember is taken for a twin.
        """
        now, watching = self._clock.now_ms(), self._state.detector
        if self.life <= life < now + AHEAD_MS // 2:
            watching = renewed(watching, now, life + 1, watching.card)
            self._state = msgspec.structs.replace(self._state, detector=watching)

    def member(self, node: str) -> Member | None:
        """How a node stands; None: never heard of."""
        return self._state.members.get(node)

    async def run(self) -> None:
        """Gossip until cancelled."""
        async with anyio.create_task_group() as tasks:
            for _ in range(_SENDERS):
                tasks.start_soon(self._send)
            tasks.start_soon(self._read, self._post.received(GOSSIP))
            tasks.start_soon(self._live)
            tasks.start_soon(self._knock)
            tasks.start_soon(self._meter)
            await self._tick()

    def meet(self, nodes: Iterable[str]) -> None:
        """Say hello to members that were just let in."""
        self._take(swarm.Join(tuple(nodes)))

    def reached(self) -> None:
        """This node's line works, first or again: whoever did not answer is asked."""
        self._take(seen.Back())

    def say(self, name: str, topic: str, body: str, ttl_ms: int) -> None:
        """Say something to all members."""
        now = self._clock.now_ms()
        item = Topic(name, topic, self._key.public, now, now + ttl_ms, body)
        self._take(swarm.Publish(signed_topic(self._key, item)))

    async def _tick(self) -> None:
        while True:
            self._wake = anyio.Event()
            wait_s = (swarm.due(self._state) - self._clock.now_ms()) / 1000
            with anyio.move_on_after(max(0.01, wait_s)):
                await self._wake.wait()
            if swarm.due(self._state) <= self._clock.now_ms():
                self._take(swarm.Tick())

    async def _live(self) -> None:
        """Renew the card."""
        while True:
            now = self._clock.now_ms()
            until = now + math.ceil(self._every_s * 1000 * _LIVES)
            card = msgspec.structs.replace(await self._card(), version=now, expires_at=until)
            self._take(seen.Present(signed_card(self._key, card)))
            await anyio.sleep(self._every_s)

    async def _knock(self) -> None:
        """Say hello to some of whom nothing was heard: soon after the start, then more rarely.

        Who was there and is dead is asked by the detector.
        """
        pause = min(_KNOCK_S, self._every_s)
        while True:
            unknown = [one for one in self._people.others if self._state.members.get(one) is None]
            if unknown:
                self.meet(secrets.SystemRandom().sample(unknown, min(_KNOCKS, len(unknown))))
            await anyio.sleep(pause)
            pause = min(2 * pause, self._every_s)

    async def _read(self, arrivals: MemoryObjectReceiveStream) -> None:  # type: ignore[type-arg] # of Arrival
        async with arrivals:
            async for arrival in arrivals:
                if message := self._read_one(arrival.envelope):
                    self._take(swarm.Heard(arrival.envelope.node_id, message))
                if arrival.durable:
                    await self._post.settle(arrival.envelope)

    def _read_one(self, envelope: Envelope) -> Message | None:
        self._heard[envelope.node_id] += 1
        if self._heard[envelope.node_id] > _MOST:
            self.dropped["too much"] += 1
            return None
        message = decode_gossip(envelope.data)
        match message:
            case Unread():
                self.dropped[message.name.lower()] += 1
                return None
            case Rumours(reports):
                return msgspec.structs.replace(message, reports=self._own_words(reports))
            case Rows(reports):
                return msgspec.structs.replace(message, reports=self._own_words(reports))
            case Topic() if not (self._known(message.origin) and topic_holds(message)):
                self.dropped["forged"] += 1
                return None
        return message

    def _own_words(self, reports: tuple[Report, ...]) -> tuple[Report, ...]:
        """Reports of members; a card that its node did not sign is left out."""
        found = []
        for report in reports:
            if not self._known(report.node):
                self.dropped["stranger"] += 1
            elif report.card is None or card_holds(report.node, report.card):
                found.append(report)
            else:
                self.dropped["forged"] += 1
        return tuple(found)

    def _known(self, node: str) -> bool:
        return node == self._key.public or self._people.admits(node)

    async def _meter(self) -> None:
        while True:
            await anyio.sleep(_WINDOW_S)
            self._heard.clear()

    def _take(self, event: swarm.Event) -> None:
        self._state, actions = swarm.step(self._state, self._clock.now_ms(), event)
        for action in actions:
            match action:
                case said.Send(to, message) | seen.Send(to, message):
                    self._post_to(to, message)
                case seen.Changed(report):
                    if report.node != self._key.public:
                        self.learnt(report)
                case said.Deliver(item):
                    self.told(item)
                case said.Refused(_, _, reason):
                    self.dropped[reason] += 1
                case seen.Twin():
                    self.twin()
        self._wake.set()

    def _post_to(self, to: str, message: Message) -> None:
        if not self._people.admits(to):
            return
        line = self._waiting[isinstance(message, Probing)]
        if len(line) >= _ROOM:  # gossip makes good what is lost
            self.dropped["crowded"] += 1
            return
        line.append(Letter(to, GOSSIP, encode_gossip(message), ttl_ms=_TTL_MS))
        self._letters.release()

    async def _send(self) -> None:
        """Whether somebody is there goes before what there is to tell: it is timed."""
        first, then = self._waiting[True], self._waiting[False]
        while True:
            await self._letters.acquire()
            if not (await self._post.send_live((first or then).popleft())).taken:
                self.dropped["unsent"] += 1


def word(member: Member | None, now: int) -> str:
    """How a node stands, in a word."""
    if member is None:
        return "unknown"
    if member.standing is Standing.ALIVE and member.card and member.card.expires_at <= now:
        return "quiet"
    return member.standing.name.lower()
