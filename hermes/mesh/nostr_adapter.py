"""The only way to relays: publish, subscribe, fetch and reconcile, with every event verified here.

Guards against relays that lie, not against those that keep silent: ask several.
"""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Self

import anyio
from anyio.abc import TaskGroup
from nostr_sdk import EventId, NegentropyItem, NostrSdkError, SyncOptions, Timestamp

from hermes.core.clock import Clock
from hermes.errors import RelayRefused
from hermes.mesh.event import Filter, Known, NostrEvent
from hermes.mesh.health import Health
from hermes.mesh.nostr_ear import CHANNEL, Ear, checked, library_filter
from hermes.mesh.nostr_keys import NostrKeys, event_of
from hermes.mesh.nostr_lane import Lane, is_silence, is_up, new_client, words
from hermes.mesh.nostr_loop import loop_lent

OK_S = 5.0
FETCH_S = 10.0
CHUNK = 200
"""Events asked for by id at once: the library's own transfer fails above that."""
_MESSAGES = 5_000
_QUERIES = 400
_AT_MOST = 5_000


class _Station:
    """A relay as this node deals with it: one socket to publish, one to read."""

    def __init__(self, keys: NostrKeys, url: str, clock: Clock) -> None:
        self.health = Health()
        self._clock = clock
        self.mouth = Lane(lambda: new_client(keys), url, _MESSAGES, self._usable)
        self.hands = Lane(lambda: new_client(keys), url, _QUERIES, self._usable)

    def _usable(self) -> bool:
        return self.health.usable(self._clock.now_ms())

    async def close(self) -> None:
        await self.mouth.close()
        await self.hands.close()


class Wire:
    """Relays, by their addresses; use as an async context manager."""

    def __init__(self, keys: NostrKeys, clock: Clock) -> None:
        self.keys = keys
        self._clock = clock
        self._stations: dict[str, _Station] = {}
        self._ears: list[Ear] = []
        self._exits = AsyncExitStack()
        self._tasks: TaskGroup
        self.lies = 0
        """Events that relays gave us and that did not hold, or that nobody had asked for."""

    async def __aenter__(self) -> Self:
        await self._exits.enter_async_context(loop_lent())
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._tasks.cancel_scope.cancel()
        try:
            await self._tasks.__aexit__(None, None, None)
        finally:
            with anyio.CancelScope(shield=True):
                for ear in self._ears:
                    await ear.close()
                for station in self._stations.values():
                    await station.close()
                await self._exits.aclose()

    @property
    def urls(self) -> tuple[str, ...]:
        """The relays in use, the best first."""
        now = self._clock.now_ms()
        return tuple(sorted(self._stations, key=lambda url: -self.health(url).quality(now)))

    def health(self, url: str) -> Health:
        """How a relay has been doing."""
        station = self._stations.get(url)
        return station.health if station else Health()

    async def connect(self, urls: Iterable[str]) -> Mapping[str, str]:
        """Use these relays too; for each, why it cannot be reached just now, or "".

        One that is down is kept and tried again; raises RelayRefused on what is no address.
        """
        fresh = {
            url: _Station(self.keys, url, self._clock) for url in urls if url not in self._stations
        }
        self._stations |= fresh
        found: dict[str, str] = {}

        async def dial(url: str) -> None:
            try:
                async with self._asked(url), self._stations[url].mouth.relay(0):
                    found[url] = ""
            except RelayRefused as error:
                found[url] = error.message

        async with anyio.create_task_group() as tasks:
            for url in fresh:
                tasks.start_soon(dial, url)
        for ear in self._ears:
            for url in fresh:
                await ear.add(url)
        return found

    async def leave(self, url: str) -> None:
        """Use a relay no more."""
        station = self._stations.pop(url, None)
        if station is not None:
            await station.close()
            for ear in self._ears:
                await ear.remove(url)

    async def publish(
        self, event: NostrEvent, urls: Iterable[str] | None = None, *, first: bool = False
    ) -> Mapping[str, str]:
        """Give an event to relays; for each "" when it said OK, else why not. Never raises.

        Those that failed lately are passed over until their wait is out. `first`: return as soon
        as one said OK; those that have not answered by then are told on, and left out.
        """
        found: dict[str, str] = {}
        made = event_of(event)
        to = dict.fromkeys(self._stations if urls is None else urls)
        enough = anyio.Event()

        async def give(url: str) -> None:
            why = ""
            try:
                mouth = self._station(url).mouth
                if first and mouth.is_crowded:
                    raise RelayRefused(f"{url}: too much waits for it")  # noqa: TRY301 - as below
                async with self._asked(url), mouth.relay() as relay:
                    await relay.send_event(made, ok_timeout=timedelta(seconds=OK_S))
            except RelayRefused as error:
                why = error.message
            found[url] = why
            if len(found) == len(to) or (first and not why):
                enough.set()

        for url in to:
            self._tasks.start_soon(give, url)
        if to:
            await enough.wait()
        return found.copy()

    @asynccontextmanager
    async def subscribe(
        self, *filters: Filter, urls: Iterable[str] | None = None
    ) -> AsyncGenerator[Ear]:
        """Listen for events at all relays (or some), now and whenever one comes back."""
        ear = Ear(new_client(self.keys, CHANNEL), filters, self._heard_again)
        if urls is None:
            self._ears.append(ear)
        try:
            for url in self._stations if urls is None else urls:
                await ear.add(url)
            yield ear
        finally:
            if ear in self._ears:
                self._ears.remove(ear)
            self.lies += ear.lies
            await ear.close()

    async def fetch(
        self, *filters: Filter, url: str, timeout_s: float = FETCH_S
    ) -> tuple[NostrEvent, ...]:
        """The stored events of one relay that match, verified; raises RelayRefused."""
        wishes = [library_filter(one) for one in filters]
        found: dict[str, NostrEvent] = {}
        for wish in wishes:
            # A request and its close.
            async with self._asked(url), self._station(url).hands.relay(2) as relay:
                limit = timedelta(seconds=timeout_s)
                events = await relay.fetch_events(wish, timeout=limit, max_events=_AT_MOST)
                if not is_up(relay):  # the library says nothing of it, and hands out a part
                    raise RelayRefused(f"{url}: the connection was lost")
            good = [value for event in events if (value := checked(event, wishes))]
            self.lies += len(events) - len(good)
            found |= {value.id: value for value in good}
        return tuple(found.values())

    async def missing(self, wish: Filter, known: Sequence[Known], url: str) -> tuple[str, ...]:
        """The ids of matching events that a relay has and we do not know (NIP-77, dry run).

        Raises RelayRefused, also where a relay does not speak NIP-77.
        """
        items = [
            NegentropyItem(id=EventId.parse(one.id), timestamp=Timestamp.from_secs(one.created_at))
            for one in known
        ]
        options = SyncOptions().initial_timeout(timedelta(seconds=OK_S)).dry_run()
        # How many messages it takes is not told: one for every few hundred differences.
        async with (
            self._asked(url, blame=False),
            self._station(url).hands.relay(20) as relay,
        ):
            summary = await relay.sync(library_filter(wish), items=items, opts=options)
        return tuple(one.to_hex() for one in summary.remote)

    def _heard_again(self, url: str) -> None:
        station = self._stations.get(url)
        if station is not None:
            station.health = station.health.back()

    def _station(self, url: str) -> _Station:
        try:
            return self._stations[url]
        except KeyError:
            raise RelayRefused(f"{url} is not in use here") from None

    @asynccontextmanager
    async def _asked(self, url: str, *, blame: bool = True) -> AsyncGenerator[None]:
        """Keep the relay's record of what happens inside; raises RelayRefused for all of it.

        `blame`: that it cannot do this is held against it.
        """
        station = self._station(url)
        began = self._clock.now_ms()
        if not station.health.usable(began):
            raise RelayRefused(f"{url}: left alone after: {station.health.reason}")
        try:
            yield
        except NostrSdkError as error:
            said = words(error)
            if blame and not is_silence(said):
                station.health = station.health.refused(said)
            elif blame:
                station.health = station.health.failed(self._clock.now_ms(), said)
                for ear in self._ears:
                    await ear.doubt(url, (self._clock.now_ms() - began) / 1000)
            raise RelayRefused(f"{url}: {said}") from error
        except RelayRefused as error:
            station.health = station.health.failed(self._clock.now_ms(), error.message)
            raise
        station.health = station.health.went(self._clock.now_ms() - began)
