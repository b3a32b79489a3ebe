"""The link over relays: envelopes in NIP-59 wraps, live ones in ephemeral wraps that nobody keeps.

Brings what was missed while a relay, or this node, was away. Does not judge what lies in a wrap:
the post office does.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol

import anyio

from hermes.core.clock import Clock
from hermes.errors import EnvelopeRefused, RelayRefused
from hermes.mesh.event import ENVELOPE, LIVE_WRAP, WRAP, Filter, Known, NostrEvent, Rumour
from hermes.mesh.link import Delivery, Received
from hermes.mesh.nostr_adapter import Wire
from hermes.mesh.nostr_catch_up import catch_up
from hermes.mesh.nostr_parts import TAG, Parts
from hermes.mesh.nostr_sending import Parcel, Where, best_of, publish

HORIZON_S = 30 * 24 * 3_600
"""How far back wraps are looked for; letters live no longer."""
_EVERY_S = 60.0
_ROOM = 256
_MOST_SEEN = 200_000


class Marks(Protocol):
    """Which wraps need not come again, on disk."""

    async def mark(self, wraps: Mapping[str, int]) -> None:
        """Remember wraps: id to `created_at` in seconds."""
        ...

    async def marked(self, since: int) -> list[tuple[str, int]]:
        """Those made at or after `since` (seconds)."""
        ...


class NostrLink:
    """Wraps over the relays of a wire.

    Args:
        wire: the relays, open.
        marks: which wraps were dealt with.
        clock: the time.
        known: whether parts of a sender's long envelopes are kept until they are whole.
        where: where a node reads; where it says nothing, all relays of the wire are used.
    """

    def __init__(
        self,
        wire: Wire,
        marks: Marks,
        clock: Clock,
        *,
        known: Callable[[str], bool],
        where: Where = lambda _to: (),
    ) -> None:
        self.name = "relays"
        self.refused: Counter[str] = Counter()
        """Wraps that were none, by reason; envelopes are judged and counted by the post office."""
        self._wire = wire
        self._marks = marks
        self._clock = clock
        self._known = known
        self._where = where
        self._parts = Parts()
        self._seen: dict[str, int] = {}  # wraps opened in this life, and when they were made
        self._in, self._out = anyio.create_memory_object_stream[Received](_ROOM)
        self._look = anyio.Event()
        self.caught_up = anyio.Event()
        """Set once everything that the relays held at the start was brought."""
        self.reached: Callable[[], None] = lambda: None
        """Is called when a relay began to listen to this node, first or again."""

    def quality(self) -> float:
        """How good its best relay is, a half at most: a direct link is better than any."""
        return best_of(self._wire, self._clock.now_ms()) / 2

    async def send(self, to: str, data: bytes, *, expires_at: int, durable: bool) -> Delivery:
        """Wrap and publish at the recipient's relays; taken when one of them said OK to all."""
        theirs = self._where(to)
        both = tuple(url for url in self._wire.urls if url in theirs)
        parcel = Parcel(to, data, expires_at, durable)
        return await publish(self._wire, both or self._wire.urls, parcel, self._clock.now_ms())

    async def receive(self) -> AsyncIterator[Received]:
        """Envelopes as they come."""
        async with self._out:
            async for received in self._out:
                yield received

    async def handled(self, received: Received) -> None:
        """Its wraps need not come again."""
        made = {mark: self._seen[mark] for mark in received.marks if mark in self._seen}
        await self._marks.mark(made)

    async def run(self) -> None:
        """Listen, and look again for what was missed."""
        with self._in:
            await self._read()

    async def _read(self) -> None:
        to_me = {"p": (self._wire.keys.public,)}
        # Wraps bear times up to two days back: nothing stored is asked for, only what is new.
        new = Filter(kinds=(WRAP, LIVE_WRAP), tags=to_me, limit=0)
        async with self._wire.subscribe(new) as ear, anyio.create_task_group() as tasks:
            ear.opened.append(self._listened)
            tasks.start_soon(self._fetch_missed)
            async for heard in ear:
                await self._open(heard.event)

    def _listened(self, _url: str) -> None:
        """What came while a relay was not connected was not heard: it is fetched."""
        self._look.set()
        self.reached()

    async def _fetch_missed(self) -> None:
        while True:
            self._look = anyio.Event()
            for url in self._wire.urls:
                try:
                    await self._fetch_from(url)
                except RelayRefused:
                    continue  # its health says so, and it is asked again
            self.caught_up.set()
            with anyio.move_on_after(_EVERY_S):
                await self._look.wait()

    async def _fetch_from(self, url: str) -> None:
        since = self._clock.now_ms() // 1000 - HORIZON_S
        wish = Filter(kinds=(WRAP,), tags={"p": (self._wire.keys.public,)}, since=since)
        there = dict(await self._marks.marked(since)) | self._seen
        known = [Known(wrap, made) for wrap, made in there.items() if made >= since]
        async for group in catch_up(self._wire, wish, known, url):
            for event in group:
                await self._open(event)

    async def _open(self, event: NostrEvent) -> None:
        if event.id in self._seen:
            return
        self._seen[event.id] = event.created_at
        if len(self._seen) > _MOST_SEEN:
            del self._seen[next(iter(self._seen))]
        try:
            rumour = self._wire.keys.unwrap(event)
        except EnvelopeRefused as error:
            self.refused[error.reason] += 1
            await self._marks.mark({event.id: event.created_at})
            return
        # Other kinds are other readers' (direct messages): they are let be.
        if rumour.kind == ENVELOPE:
            await self._take(rumour)

    async def _take(self, rumour: Rumour) -> None:
        if rumour.tag(TAG) and not self._known(rumour.pubkey):
            self.refused["not admitted"] += 1
            return
        whole = self._parts.take(rumour)
        while self._parts.given_up:
            self._seen.pop(self._parts.given_up.pop(), None)
        if whole is not None:
            data, wraps = whole
            marks = () if rumour.live else wraps
            await self._in.send(
                Received(data, rumour.pubkey, self.name, durable=not rumour.live, marks=marks)
            )
