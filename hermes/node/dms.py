"""Direct messages on a node: the gateway on the node's wire, and where people's clients find it.

Constructed by `hermes node` once the wire is connected; loaded late, because it takes nostr-sdk.
"""

from collections.abc import Callable, Sequence

import anyio

from hermes.core.clock import Clock
from hermes.errors import RelayRefused
from hermes.gateway.nostr_dm import NostrDm
from hermes.gateway.terminal_door import Door
from hermes.mesh.event import INBOX_RELAYS, Filter
from hermes.mesh.nostr_adapter import Wire

_AGAIN_S = 3_600.0
_SOON_S = 10.0


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
        self._wire = wire
        self._clock = clock
        self._inbox = tuple(inbox)
        self.gateway = NostrDm(door, wire, clock, report, look_s)

    async def run(self) -> None:
        """Serve until cancelled; raises HermesError when the owner is gone for good."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._announce)
            await self.gateway.run()
            tasks.cancel_scope.cancel()

    async def _announce(self) -> None:
        """Keep the NIP-17 relay list (kind 10050) on every relay: clients write nowhere else."""
        tags = tuple(("relay", url) for url in self._inbox)
        while tags:
            told = [await self._announced(url, tags) for url in self._wire.urls]
            await anyio.sleep(_AGAIN_S if all(told) else _SOON_S)

    async def _announced(self, url: str, tags: tuple[tuple[str, ...], ...]) -> bool:
        me = self._wire.keys
        try:
            found = await self._wire.fetch(
                Filter(kinds=(INBOX_RELAYS,), authors=(me.public,), limit=1), url=url
            )
        except RelayRefused:
            return False
        newest = max(found, key=lambda event: event.created_at, default=None)
        if newest is not None and newest.tags == tags:
            return True
        event = me.sign(INBOX_RELAYS, "", tags, self._clock.now_ms() // 1_000)
        return not (await self._wire.publish(event, [url]))[url]
