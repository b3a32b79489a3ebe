"""How an envelope goes out over relays: cut, wrapped, and published till one relay has it all."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import anyio

from hermes.mesh.event import ENVELOPE
from hermes.mesh.link import Delivery
from hermes.mesh.nostr_adapter import Wire
from hermes.mesh.nostr_parts import cut

Where = Callable[[str], tuple[str, ...]]
"""The relays where a node reads, by its key."""


class Parcel(NamedTuple):
    """What is to go: to whom (a key), the bytes, until when (ms), and whether relays keep it."""

    to: str
    data: bytes
    expires_at: int
    durable: bool


def best_of(wire: Wire, now: int) -> float:
    """The quality of the best relay, 0 where none works."""
    return max((wire.health(url).quality(now) for url in wire.urls), default=0.0)


async def publish(wire: Wire, urls: Iterable[str], parcel: Parcel, now: int) -> Delivery:
    """Wrap for the recipient and publish; taken when relays said OK to all parts.

    The first OK counts: a relay that has fallen silent holds up nothing that another took.
    """
    taken = set(urls)
    if not taken:
        return Delivery(taken=False, reason="no relay in use")
    said = ""
    second = now // 1000
    for content, tags in cut(parcel.data):
        rumour = wire.keys.rumour(ENVELOPE, content, tags, second)
        until = parcel.expires_at // 1000 + 1
        live = not parcel.durable
        wrap = wire.keys.wrap(parcel.to, rumour, until, now=second, live=live)
        for url, reason in (await wire.publish(wrap, taken, first=True)).items():
            if reason:
                taken.discard(url)
                said = reason
        if not taken:
            return Delivery(taken=False, reason=said)
        await anyio.lowlevel.checkpoint()
    return Delivery(taken=True)
