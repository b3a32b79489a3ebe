"""A subscription at several relays: each event once, verified again by us.

Each ear is a client of its own: the library shows an event once a client, to whichever
subscription it matched first. When its reader lags behind some two thousand events the oldest are
lost, silently: what must not be lost is fetched again by `nostr_link`. A line over which nothing
comes may be dead for an hour before the system says so: it is doubted, and made anew.
"""

import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import NamedTuple

import anyio
import msgspec
from nostr_sdk import (
    Client,
    Event,
    NostrSdkError,
    RelayMessageEnum,
    RelayOptions,
    RelayStatus,
    ReqTarget,
)
from nostr_sdk import Filter as LibraryFilter

from hermes.errors import RelayRefused
from hermes.mesh.event import Filter, NostrEvent
from hermes.mesh.nostr_keys import value_of
from hermes.mesh.nostr_lane import RETRY_S, relay_url, words

CHANNEL = 4_096
_NAME = "ear"
_FIRST_S, _MOST_S = 0.2, 60.0
_DOUBT_S = 10.0  # a line that was made anew has so long to work


class Heard(NamedTuple):
    """A verified event, and the relay that brought it first."""

    event: NostrEvent
    url: str


class _Closed(NamedTuple):
    """How often a relay closed the subscription, and when it is asked again (loop time)."""

    times: int
    due: float


class Ear:
    """Made by `Wire.subscribe`; iterate over it. `lies` counts events that did not hold.

    `opened` hear of each relay that listens to the subscription, first or again.
    """

    def __init__(
        self, client: Client, filters: Sequence[Filter], opened: Callable[[str], None]
    ) -> None:
        self._client = client
        self._filters = [library_filter(one) for one in filters]
        self._notes = client.notifications()
        self._closed: dict[str, _Closed] = {}
        self._urls: dict[str, str] = {}  # as they were given, by the library's spelling
        self._heard: dict[str, float] = {}
        self._doubted: dict[str, float] = {}  # until when each line has to work (loop time)
        self.opened = [opened]
        self.lies = 0

    async def add(self, url: str) -> None:
        """Listen at one more relay; one that is down now is tried again every few seconds."""
        address = relay_url(url)
        self._urls[str(address)] = url
        options = RelayOptions().retry_interval(timedelta(seconds=RETRY_S))
        options = options.adjust_retry_interval(False)  # noqa: FBT003 - positional only
        try:
            await self._client.add_relay(address, opts=options)
            await self._client.connect_relay(address)
            await self._client.subscribe(ReqTarget.single(address, self._filters), id=_NAME)
        except NostrSdkError as error:
            raise RelayRefused(f"{url}: {words(error)}") from error

    async def remove(self, url: str) -> None:
        """Listen there no more."""
        address = relay_url(url)
        for book in (self._urls, self._heard, self._doubted, self._closed):
            book.pop(str(address), None)
        try:
            await self._client.remove_relay(address, force=True)
        except NostrSdkError as error:
            raise RelayRefused(f"{url}: {words(error)}") from error

    async def doubt(self, url: str, silent_s: float) -> None:
        """It does not answer another line: if nothing comes from there, either, ours is made anew.

        What came soon after it was asked came perhaps before it fell silent.
        """
        name, now = str(relay_url(url)), anyio.current_time()
        lives = now - self._heard.get(name, -math.inf) < silent_s / 2
        if name in self._urls and name not in self._doubted and not lives:
            await self._anew(url, now)

    async def close(self) -> None:
        """Hang up; whoever iterates comes to an end."""
        with anyio.CancelScope(shield=True):
            await self._client.shutdown()

    def __aiter__(self) -> AsyncIterator[Heard]:
        return self._all()

    async def _all(self) -> AsyncIterator[Heard]:
        while True:
            note = None
            with anyio.move_on_after(self._patience()) as waiting:  # cancelling loses nothing
                note = await self._notes.next()
            if waiting.cancelled_caught:
                await self._ask_again()
                continue
            if note is None or note.is_shutdown():
                return
            self._heard[str(note.relay_url)] = anyio.current_time()
            if not note.is_new_event():
                self._mind(str(note.relay_url), note.message.as_enum())
                continue
            value = checked(note.event, self._filters)
            if value is None:
                self.lies += 1
            else:
                yield Heard(value, str(note.relay_url))

    def _mind(self, url: str, message: RelayMessageEnum) -> None:
        """A relay that closes the subscription is asked again: the library forgets to at times.

        Measured: it subscribes anew once it has proved who it is, but not where the relay's
        refusal comes after its proof; one in ten ears stayed deaf.
        """
        if message.is_closed() and message.subscription_id == _NAME:
            if not message.message.startswith("auth-required"):  # that is but half an answer
                self._doubted.pop(url, None)
            before = self._closed.get(url, _Closed(0, math.inf))
            pause = min(_FIRST_S * 2**before.times, _MOST_S)
            due = min(before.due, anyio.current_time() + pause)
            self._closed[url] = _Closed(before.times + 1, due)
        elif message.is_end_of_stored_events() and message.subscription_id == _NAME:
            self._closed.pop(url, None)
            self._doubted.pop(url, None)
            if url in self._urls:
                for opened in self.opened:
                    opened(self._urls[url])

    def _patience(self) -> float:
        due = [one.due for one in self._closed.values()] + list(self._doubted.values())
        return min(max(0.0, min(due, default=math.inf) - anyio.current_time()), RETRY_S)

    async def _ask_again(self) -> None:
        now = anyio.current_time()
        for url, one in tuple(self._closed.items()):
            if one.due > now:
                continue
            if await self._ask_anew(url):
                self._closed[url] = _Closed(one.times, now + _MOST_S)
            else:
                self._closed[url] = _Closed(0, now + RETRY_S)
        for url in [name for name, due in self._doubted.items() if due <= now]:
            await self._anew(self._urls[url], now)

    async def _anew(self, url: str, now: float) -> None:
        """Another line in place of one that may be dead, and another soon if that is, too."""
        with suppress(RelayRefused):
            await self.remove(url)
            await self.add(url)
        self._doubted[str(relay_url(url))] = now + _DOUBT_S

    async def _ask_anew(self, url: str) -> bool:
        """Subscribe again; False where the relay is down: what is asked then is forgotten."""
        address = relay_url(url)
        with suppress(NostrSdkError):
            relay = await self._client.relay(address)
            if relay is not None and relay.status() == RelayStatus.CONNECTED:
                await relay.unsubscribe(_NAME)  # the library holds it for open still
                await self._client.subscribe(ReqTarget.single(address, self._filters), id=_NAME)
                return True
        return False


def library_filter(wish: Filter) -> LibraryFilter:
    """A filter as the library takes it; raises RelayRefused on one that nobody could answer."""
    try:
        return LibraryFilter.from_json(wish.json)
    except NostrSdkError as error:
        raise RelayRefused(f"not a filter: {words(error)}") from error


def checked(event: Event, filters: Sequence[LibraryFilter]) -> NostrEvent | None:
    """An event that holds and is what was asked for: the library lets altered copies through."""
    if not any(one.match_event(event) for one in filters) or not event.verify():
        return None
    try:
        return value_of(event)
    except msgspec.ValidationError:  # a time beyond all calendars
        return None
