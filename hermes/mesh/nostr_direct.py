"""The direct link: a peer's embedded relay, dialled when there is something for that peer.

Nothing is read here: peers write to our own embedded relay, where the link over relays listens.
"""

from collections.abc import AsyncIterator

import anyio

from hermes.core.clock import Clock
from hermes.errors import RelayRefused
from hermes.mesh.link import Delivery, Received
from hermes.mesh.nostr_adapter import Wire
from hermes.mesh.nostr_sending import Parcel, Where, best_of, publish

_MOST = 64


class DirectLink:
    """Over a wire of its own; `where` names only addresses that this node may dial."""

    def __init__(self, wire: Wire, clock: Clock, *, where: Where) -> None:
        self.name = "direct"
        self._wire = wire
        self._clock = clock
        self._where = where

    def quality(self) -> float:
        """Better than any link over others' relays, unless every peer failed lately."""
        urls = self._wire.urls
        best = best_of(self._wire, self._clock.now_ms())
        return (1 + best) / 2 if best or not urls else 0.0

    async def send(self, to: str, data: bytes, *, expires_at: int, durable: bool) -> Delivery:
        """Publish at the peer's own relay, dialling it where that was not done before."""
        urls = self._where(to)
        try:
            await self._wire.connect(urls)
        except RelayRefused as error:
            return Delivery(taken=False, reason=error.message)
        found = await publish(
            self._wire, urls, Parcel(to, data, expires_at, durable), self._clock.now_ms()
        )
        for url in self._wire.urls[_MOST:]:
            await self._wire.leave(url)
        return found

    async def receive(self) -> AsyncIterator[Received]:
        """Nothing comes this way."""
        await anyio.sleep_forever()
        yield Received(b"", "", self.name)

    async def handled(self, received: Received) -> None:
        """Nothing came this way."""

    async def run(self) -> None:
        """Connections are made when they are needed."""
        await anyio.sleep_forever()
