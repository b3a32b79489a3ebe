"""The three pure machines that keep homes on a live node: leases, intents and routes.

Events wait in one queue, so that what one machine wants is done before the next event is taken.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterator
from typing import TypeVar

import anyio
import msgspec

from hermes.core.clock import Clock
from hermes.mesh import intents, lease, routing
from hermes.mesh import lease_values as leasing
from hermes.mesh.lease_votes import restored
from hermes.mesh.quorum import majority
from hermes.store.homes import Begun, HomeBook, Promised

_Of = TypeVar("_Of")
_DAY_MS = 24 * 3_600_000
_WEEK_MS = 7 * _DAY_MS
_MONTH_MS = 31 * _DAY_MS
"""Longer than any turn is asked for, or its end is kept: what was begun is in doubt no more."""
Event = leasing.Event | intents.Event | routing.Event
Action = leasing.Action | intents.Action | routing.Action


class Machines:
    """One node's; they forget nothing that is on disk."""

    def __init__(self, me: str, lease_ms: int, book: HomeBook, clock: Clock) -> None:
        self.me = me
        self._book = book
        self._clock = clock
        self._leases = leasing.Leases(me, leasing.Terms(strict=False, lease_ms=lease_ms))
        self._intents = intents.Intents(me, strict=False)
        self._routes = routing.Routes(me)
        self._before: dict[str, intents.Book] = {}
        self._tenures: dict[str, tuple[int, int]] = {}
        self._clear_at = 0
        self._todo: deque[Event] = deque()
        self._news = anyio.Event()

    @property
    def leases(self) -> leasing.Leases:
        """What was promised and what is held."""
        return self._leases

    def feed(self, event: Event) -> None:
        """Let a machine take an event, soon."""
        self._todo.append(event)
        self._news.set()

    async def due(self) -> None:
        """Return once an event waits."""
        while not self._todo:
            self._news = anyio.Event()
            await self._news.wait()

    def steps(self) -> Iterator[tuple[Event, tuple[Action, ...]]]:
        """Every event that waits, and what the machines want done for it."""
        while self._todo:
            event = self._todo.popleft()
            yield event, self.step(event)

    def step(self, event: Event) -> tuple[Action, ...]:
        """Let a machine take an event at once."""
        now = self._clock.now_ms()
        if isinstance(event, leasing.Event):
            self._leases, claims = lease.step(self._leases, now, event)
            for one in claims:
                if isinstance(one, leasing.Lost):
                    self._tenures.pop(one.key, None)
            return claims
        if isinstance(event, intents.Event):
            self._before = self._intents.books
            self._intents, notes = intents.step(self._intents, now, event)
            return notes
        self._routes, ways = routing.step(self._routes, now, event)
        return ways

    def tick(self) -> None:
        """Time has passed."""
        now = self._clock.now_ms()
        ticks: tuple[tuple[int | None, Event], ...] = (
            (lease.due(self._leases), leasing.Tick()),
            (intents.due(self._intents), intents.Tick()),
            (routing.due(self._routes), routing.Tick()),
        )
        for due, event in ticks:
            if due is not None and due <= now:
                self.feed(event)

    def count(self, voters: tuple[str, ...], live: tuple[str, ...]) -> None:
        """Hear who is there."""
        if (voters, live) != (self._leases.voters, self._leases.live):
            self.feed(leasing.Fleet(voters, live))
            self.feed(intents.Fleet(voters, live))
            self.feed(routing.Fleet(live))

    def settle(self, conversation: str, fence: leasing.Fence, until: int) -> bool:
        """Somebody holds a conversation; whether that is news."""
        known = self._routes.homes.get(conversation)
        home = routing.Home(fence.holder, fence.epoch, until)
        self.feed(routing.Settled(conversation, home))
        return known is None or (known.epoch, known.holder) != fence

    def epoch(self, conversation: str) -> int | None:
        """The epoch under which this node holds a conversation just now."""
        tenure = self._leases.tenures.get(conversation)
        if tenure is None or tenure.stage is not leasing.Stage.HELD:
            return None
        return tenure.epoch if self._clock.now_ms() < tenure.until else None

    def gained(self, conversation: str, epoch: int, until: int) -> None:
        """This node holds a conversation; without a gap since an earlier epoch, maybe."""
        first, before = self._tenures.get(conversation, (epoch, 0))
        kept = first if self._clock.now_ms() < before else epoch
        self._tenures[conversation] = (kept, until)

    def since(self, conversation: str, *, quorate: bool) -> int | None:
        """The first epoch since which nobody else can have begun anything in a conversation.

        None: this node does not hold it, or without a majority while there is one.
        """
        epoch = self.epoch(conversation)
        if epoch is None or (quorate and conversation in self.alone()):
            return None
        return min(epoch - 1, self._tenures.get(conversation, (epoch, 0))[0])

    def alone(self) -> tuple[str, ...]:
        """What this node holds or claims without a majority's grants."""
        most = majority(self._leases.voters)
        found = self._leases.tenures.items()
        return tuple(name for name, tenure in found if len(tenure.granted) < most)

    def home(self, conversation: str) -> str:
        """Who holds a conversation just now; empty: nobody that is known of here."""
        promise = self._leases.promises.get(conversation)
        return promise.holder if promise and promise.holds(self._clock.now_ms()) else ""

    def held(self) -> Counter[str]:
        """How many conversations each node holds, as far as is known here."""
        now = self._clock.now_ms()
        return Counter(one.holder for one in self._leases.promises.values() if one.holds(now))

    async def promise(self, made: leasing.Promise) -> None:
        """Keep what was granted."""
        await self._book.promise(Promised(**msgspec.structs.asdict(made)))

    async def note(self, conversation: str, book: intents.Book, *, mine: bool) -> None:
        """Keep what was noted."""
        before = self._before.get(conversation, intents.Book())
        await self._book.intend(
            conversation, Begun(before.epoch, before.ids), Begun(book.epoch, book.ids), mine=mine
        )

    async def clear(self, kept: Collection[str]) -> None:
        """Once a day: let go of what is over for so long that nobody asks for it again."""
        now = self._clock.now_ms()
        if now >= self._clear_at:
            self._clear_at = now + _DAY_MS
            await self._book.sweep(now - _WEEK_MS)
            await self._forget(now - _MONTH_MS, kept)

    async def _forget(self, before: int, kept: Collection[str]) -> None:
        """Let go of conversations that nobody held since (ms), but for those of `kept`.

        Promise and notes go together: who remembers a conversation says so when it is claimed.
        """
        asked = {one.conversation for one in self._intents.asking.values()}
        busy = {*kept, *self._leases.tenures, *self._intents.ready, *asked}
        promises, books = self._leases.promises.copy(), self._intents.books
        for name in books.keys() - promises.keys():
            # Noted for a home of which no claim was heard: over, and as old as it is known to be.
            made = leasing.Promise(
                name, books[name].epoch, self.me, self._clock.now_ms(), freed=True
            )
            promises[name] = made
            await self.promise(made)
        old = {key for key, one in promises.items() if one.until < before and key not in busy}
        self._leases = msgspec.structs.replace(self._leases, promises=_without(promises, old))
        self._intents = msgspec.structs.replace(self._intents, books=_without(books, old))
        homes = self._routes.homes
        past = {key for key, one in homes.items() if one.until < before}
        self._routes = msgspec.structs.replace(self._routes, homes=_without(homes, past))
        await self._book.forget(sorted(old))

    async def restore(self, kept: Collection[str]) -> None:
        """Come back with what is on disk, but for what is old: what was promised is held to."""
        made = {one.key: leasing.Promise(*one) for one in await self._book.promises()}
        self._leases = msgspec.structs.replace(self._leases, promises=made)
        books = {
            name: intents.Book(one.epoch, dict(one.ids))
            for name, one in (await self._book.intents()).items()
        }
        self._intents = msgspec.structs.replace(self._intents, books=books)
        await self.clear(kept)
        now, left = self._clock.now_ms(), tuple(self._leases.promises.values())
        self._leases = restored(self.me, self._leases.terms, left, now, turn=now << 8)
        for one in self._leases.promises.values():
            if not one.freed and one.holder != self.me:
                self.settle(one.key, leasing.Fence(one.epoch, one.holder), one.until)


def _without(book: dict[str, _Of], names: Collection[str]) -> dict[str, _Of]:
    return {name: one for name, one in book.items() if name not in names}
