"""Messages as they come in: wraps from relays, opened, each once, those that were missed fetched.

Anybody may send wraps; opening one costs a millisecond, and who sent it is known only then. So
strangers' floods are taken at a pace. Who may write is not known here. Source: NIP-17, NIP-59.
"""

from collections import Counter

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream

from hermes.core.clock import Clock
from hermes.errors import EnvelopeRefused, RelayRefused
from hermes.gateway.dm_book import Book
from hermes.mesh.event import WRAP, Filter, Known, NostrEvent, Rumour
from hermes.mesh.nostr_adapter import Wire
from hermes.mesh.nostr_catch_up import catch_up

TEXT, FILE = 14, 15
"""Kinds of rumours that are messages."""
_DAY_S = 24 * 3_600
_BACK_S = 3 * _DAY_S  # a wrap lies about its time by two days at most
_OLDEST_S, _EARLIEST_S = 30 * _DAY_S, _DAY_S
_CONTENT_MOST = 64 * 1024
_KNOWN = 120_000
_BURST, _PER_S, _PAUSE_S = 100.0, 400.0, 0.05


class Mail:
    """Everything that is sent to our key; `run` must run beside whoever reads `messages`."""

    def __init__(self, wire: Wire, book: Book, clock: Clock, look_s: float = 60.0) -> None:
        self._wire = wire
        self._book = book
        self._clock = clock
        self._look_s = look_s
        self._known: dict[str, int] = {}
        self._handled: dict[str, int] = {}
        self._since = 0
        self._room, self._then = _BURST, 0.0
        self._uncounted: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.opened = 0
        self._send, self._receive = anyio.create_memory_object_stream[Rumour](64)

    @property
    def messages(self) -> MemoryObjectReceiveStream[Rumour]:
        """What people wrote; tell `handled` of each."""
        return self._receive

    async def run(self) -> None:
        """Fetch what came meanwhile, then listen, and look for what was missed."""
        looked = await self._book.looked()
        self._known = dict(looked.wraps)
        now = self._now()
        since = min(now, looked.at // 1_000 or now) - _BACK_S
        self._since = max(since, now - _OLDEST_S - _BACK_S)
        async with self._send, anyio.create_task_group() as tasks:
            await self._look()
            tasks.start_soon(self._listen)
            tasks.start_soon(self._look_often)

    def handled(self, rumour: Rumour) -> None:
        """A message has had its effect, or has none: its wrap need not come again."""
        self._handled[rumour.wrap] = self._known.get(rumour.wrap, rumour.created_at)

    def missed(self, rumour: Rumour) -> None:
        """A message could not be handled just now: let it come again."""
        self._known.pop(rumour.wrap, None)

    async def note(self) -> None:
        """Write down what was looked into, and what was refused."""
        wraps, refused = self._handled, self._uncounted
        if wraps or refused:
            self._handled, self._uncounted = {}, Counter()
            await self._book.note(wraps, refused)

    def refuse(self, rumour: Rumour, reason: str) -> None:
        """A message has no effect, for a reason that is counted."""
        self._count(reason)
        self.handled(rumour)

    def _count(self, reason: str) -> None:
        self.refused[reason] += 1
        self._uncounted[f"dm: {reason}"] += 1

    async def _listen(self) -> None:
        async with self._wire.subscribe(self._filter()) as ear:
            async for event, _ in ear:
                await self._pace()
                if (rumour := self._opened(event)) is not None:
                    await self._send.send(rumour)

    async def _look_often(self) -> None:
        while True:
            await anyio.sleep(self._look_s)
            await self._look()

    async def _look(self) -> None:
        """Fetch what relays have and we have not seen, and hand it over in its order."""
        rumours: list[Rumour] = []
        for url in self._wire.urls:
            known = [Known(id_, at) for id_, at in self._known.items() if at >= self._since]
            try:
                async for events in catch_up(self._wire, self._filter(), known, url):
                    for event in events:
                        await self._pace()
                        if (rumour := self._opened(event)) is not None:
                            rumours.append(rumour)
            except RelayRefused:
                continue  # the wire keeps its record, and it is asked again
        for rumour in sorted(rumours, key=lambda one: (one.created_at, one.id)):
            await self._send.send(rumour)

    def _filter(self) -> Filter:
        return Filter(kinds=(WRAP,), tags={"p": (self._wire.keys.public,)}, since=self._since)

    def _opened(self, event: NostrEvent) -> Rumour | None:
        """A message for us that is not known; None is anything else, counted where it is odd."""
        if event.id in self._known:
            return None
        self._known[event.id] = event.created_at
        if len(self._known) > _KNOWN:
            del self._known[next(iter(self._known))]
        self.opened += 1
        try:
            rumour = self._wire.keys.unwrap(event)
            self._judge(rumour)
        except EnvelopeRefused as error:
            if error.reason:
                self._count(error.reason)
            self._handled[event.id] = event.created_at
            return None
        return rumour

    def _judge(self, rumour: Rumour) -> None:
        """Raises EnvelopeRefused; with no reason for what other parts of the node read."""
        if rumour.kind not in {TEXT, FILE}:
            raise EnvelopeRefused("")
        if self._wire.keys.public not in {tag[1] for tag in rumour.tags if tag[:1] == ("p",)}:
            raise EnvelopeRefused("not for us")
        if len(rumour.content) > _CONTENT_MOST:
            raise EnvelopeRefused("too large")
        if rumour.created_at < self._now() - _OLDEST_S:
            raise EnvelopeRefused("stale")
        if rumour.created_at > self._now() + _EARLIEST_S:
            raise EnvelopeRefused("early")

    async def _pace(self) -> None:
        now = anyio.current_time()
        self._room = min(_BURST, self._room + (now - self._then) * _PER_S) - 1
        self._then = now
        if self._room < 0:
            await anyio.sleep(_PAUSE_S)

    def _now(self) -> int:
        return self._clock.now_ms() // 1_000
