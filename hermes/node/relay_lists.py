"""Where others say that they read: NIP-65 and NIP-17 relay lists, looked up and remembered.

A list is its author's word, signed; an older one never takes the place of a newer. An address
in it is only used where this module's user may dial it.
"""

from collections.abc import Iterable, Sequence

from hermes.core.clock import Clock
from hermes.errors import RelayRefused
from hermes.mesh.event import INBOX_RELAYS, RELAY_LIST, Filter, NostrEvent
from hermes.mesh.nostr_adapter import Wire
from hermes.mesh.public import relays_listed
from hermes.store.witness import WitnessBook

_AHEAD_S = 900
_AFRESH_MS = 1_800_000
_SOON_MS = 60_000
_AT_ONCE = 100


class RelayLists:
    """Lists by author, over one wire."""

    def __init__(self, wire: Wire, book: WitnessBook, clock: Clock) -> None:
        self._wire = wire
        self._book = book
        self._clock = clock
        self._lists: dict[tuple[str, int], tuple[int, tuple[str, ...]]] = {}
        self._due: dict[str, int] = {}

    async def load(self) -> None:
        """Take up what was known before."""
        for one in await self._book.lists():
            self._lists[one.author, one.kind] = one.created, tuple(one.relays.split())

    def where(self, author: str, *, inbox_first: bool = True) -> tuple[str, ...]:
        """The relays to which one writes for an author; nothing: not known."""
        kinds = (INBOX_RELAYS, RELAY_LIST) if inbox_first else (RELAY_LIST, INBOX_RELAYS)
        return next(
            (urls for one in kinds if (urls := self._lists.get((author, one), (0, ()))[1])), ()
        )

    async def look(self, authors: Iterable[str], urls: Sequence[str]) -> None:
        """Ask relays for the lists of these authors, each at most twice an hour."""
        now = self._clock.now_ms()
        asked = [one for one in authors if self._due.get(one, 0) <= now]
        for first in range(0, len(asked), _AT_ONCE):
            some = tuple(asked[first : first + _AT_ONCE])
            for url in urls:
                await self._look(some, url)
            for one in some:
                known = any((one, kind) in self._lists for kind in (INBOX_RELAYS, RELAY_LIST))
                self._due[one] = now + (_AFRESH_MS if known else _SOON_MS)

    async def _look(self, authors: tuple[str, ...], url: str) -> None:
        try:
            found = await self._wire.fetch(
                Filter(kinds=(INBOX_RELAYS, RELAY_LIST), authors=authors), url=url
            )
        except RelayRefused:
            return  # its health says so; the others are asked
        for event in found:
            await self._take(event)

    async def _take(self, event: NostrEvent) -> None:
        key = event.pubkey, event.kind
        if event.created_at > self._clock.now_ms() // 1000 + _AHEAD_S:
            return  # a list from the future would keep all later ones out
        if event.created_at <= self._lists.get(key, (-1, ()))[0]:
            return
        urls = relays_listed(event)
        self._lists[key] = event.created_at, urls
        await self._book.listed(*key, event.created_at, " ".join(urls))
