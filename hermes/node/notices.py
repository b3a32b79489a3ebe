"""A notice board: what relays should have of us, compared with what they have, and brought there.

A relay that lost something gets it again within the hour. Does not guard against one that says
it has what it hides: ask another.
"""

import re
from collections.abc import Iterable

import anyio

from hermes.core.clock import Clock
from hermes.errors import RelayRefused
from hermes.mesh.event import Filter, NostrEvent, Tags
from hermes.mesh.nostr_adapter import Wire
from hermes.mesh.public import Notice, newest

_AFRESH_MS, _PATIENCE_MS = 3_600_000, 300_000
_AHEAD_S = 600
_Key = tuple[int, str]
_NO = re.compile(r"\b(blocked|restricted|invalid|pow|mute|error): ")
"""A relay's own no (NIP-01): the same is not brought again for a while."""


class Board:
    """Notices by kind and name; `put` them, then `bring` them."""

    def __init__(self, wire: Wire, clock: Clock, kinds: tuple[int, ...]) -> None:
        self._wire = wire
        self._clock = clock
        self._kinds = kinds
        self._want: dict[_Key, Notice] = {}
        self._signed: dict[_Key, NostrEvent] = {}
        self._there: dict[str, dict[_Key, NostrEvent]] = {}
        self._looked: dict[str, int] = {}
        self._refused: dict[tuple[str, _Key], tuple[Notice, int]] = {}

    def put(self, notice: Notice) -> None:
        """This is to be there, in the place of what had its name."""
        self._want[notice.key] = notice

    def ask_again(self) -> None:
        """Those who said no may say yes now."""
        self._refused.clear()

    async def bring(self, urls: Iterable[str]) -> bool:
        """Bring everything everywhere; whether that is done, else try again soon."""
        done: list[bool] = []

        async def one(url: str) -> None:
            done.append(await self._bring(url))

        async with anyio.create_task_group() as tasks:
            for url in urls:
                tasks.start_soon(one, url)
        return all(done)

    async def _bring(self, url: str) -> bool:
        now = self._clock.now_ms()
        self._refused = {
            key: one for key, one in self._refused.items() if now - one[1] < _PATIENCE_MS
        }
        if url not in self._there or now - self._looked[url] > _AFRESH_MS:
            try:
                mine = Filter(kinds=self._kinds, authors=(self._wire.keys.public,))
                found = await self._wire.fetch(mine, url=url)
            except RelayRefused:
                return False
            self._there[url], self._looked[url] = dict(newest(found)), now
        there = self._there[url]
        for key, notice in tuple(self._want.items()):
            lies = there.get(key)
            if lies is not None and _same(lies, notice):
                continue
            if self._refused.get((url, key), (None, 0))[0] == notice:
                continue
            event = self._event(notice, lies)
            said = (await self._wire.publish(event, [url]))[url]
            if not said:
                there[key] = event
            elif _NO.search(said):
                self._refused[url, key] = notice, now
            else:
                self._there.pop(url, None)  # it may have more by now: look
                return False
        return True

    def _event(self, notice: Notice, lies: NostrEvent | None) -> NostrEvent:
        """The notice, signed, and newer than what it replaces."""
        made = self._signed.get(notice.key)
        after = lies.created_at if lies else 0
        now = self._clock.now_ms() // 1000
        if made is not None and made.created_at > after and _same(made, notice):
            return made
        if made is not None:
            after = max(after, made.created_at)
        at = max(now, after + 1) if after < now + _AHEAD_S else now
        made = self._wire.keys.sign(notice.kind, notice.content, notice.tags, at)
        self._signed[notice.key] = made
        return made


def _same(event: NostrEvent, notice: Notice) -> bool:
    tags: Tags = notice.tags
    return event.content == notice.content and event.tags == tags
