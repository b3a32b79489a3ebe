"""Direct messages on a node: the gateway on the node's wire, and where people's clients find it.

Constructed by `hermes node` once the wire is connected; loaded late, because it takes nostr-sdk.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress

import anyio

from hermes.core.clock import Clock
from hermes.errors import RelayRefused
from hermes.gateway.nostr_dm import NostrDm
from hermes.gateway.terminal_door import Door
from hermes.mesh.event import INBOX_RELAYS, Filter
from hermes.mesh.nostr_adapter import Wire
from hermes.node.relay_lists import RelayLists

_AGAIN_S = 3_600.0
_SOON_S = 10.0
_DIALLED, _MOST_DIALLED = 2, 16


class Dms:
    """The DM gateway of one node.

    `inbox`: the relays that clients are told to write to; `look_s`: seconds between two looks for
    what was missed.
    """

    def __init__(
        self,
        door: Door,
        wire: Wire,
        clock: Clock,
        report: Callable[[str, BaseException], None],
        inbox: Sequence[str] = (),
        look_s: float = 60.0,
    ) -> None:
        self.wire = wire
        self._clock = clock
        self._inbox = tuple(inbox)
        self.lists: RelayLists | None = None
        """Where people say that they read; None: their answers go to all relays in use."""
        self.follow = False
        """Whether those relays are dialled, too."""
        self._people: set[str] = set()
        self._said = anyio.Event()
        self.gateway = NostrDm(door, wire, clock, report, look_s, self._where)

    async def run(self) -> None:
        """Serve until cancelled; raises HermesError when the owner is gone for good."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._announce)
            if self.lists is not None:
                tasks.start_soon(self._look_up, self.lists)
            await self.gateway.run()
            tasks.cancel_scope.cancel()

    def _where(self, to: str) -> tuple[str, ...]:
        """Where a person reads, of the relays in use; it is looked up for the next time."""
        self._people.add(to)
        self._said.set()
        listed = self.lists.where(to) if self.lists else ()
        return tuple(url for url in self.wire.urls if url in listed)

    async def _look_up(self, lists: RelayLists) -> None:
        """Beside, so that no answer waits for it."""
        await lists.load()
        while True:
            await self._said.wait()
            self._said = anyio.Event()
            await lists.look(tuple(self._people), self.wire.urls)
            if self.follow:
                places = [url for one in self._people for url in lists.where(one)[:_DIALLED]]
                with suppress(RelayRefused):  # what is no address
                    await self.wire.connect(places[:_MOST_DIALLED])

    async def _announce(self) -> None:
        """Keep the NIP-17 relay list (kind 10050) on every relay: clients write nowhere else."""
        tags = tuple(("relay", url) for url in self._inbox)
        while tags:
            told = [await self._announced(url, tags) for url in self.wire.urls]
            await anyio.sleep(_AGAIN_S if all(told) else _SOON_S)

    async def _announced(self, url: str, tags: tuple[tuple[str, ...], ...]) -> bool:
        me = self.wire.keys
        try:
            found = await self.wire.fetch(
                Filter(kinds=(INBOX_RELAYS,), authors=(me.public,), limit=1), url=url
            )
        except RelayRefused:
            return False
        newest = max(found, key=lambda event: event.created_at, default=None)
        if newest is not None and newest.tags == tags:
            return True
        event = me.sign(INBOX_RELAYS, "", tags, self._clock.now_ms() // 1_000)
        return not (await self.wire.publish(event, [url]))[url]
