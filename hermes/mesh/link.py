"""A link: one way by which bytes reach another node. The best that works is used.

A link knows nothing of envelopes, retries or admission; whatever it hands over is hostile.
"""

from collections.abc import AsyncIterator
from typing import NamedTuple, Protocol


class Delivery(NamedTuple):
    """What became of one try.

    `taken`: something that keeps it, or its recipient, said yes; that is no receipt by the
    recipient. `reason` says why not; `hopeless`: the same bytes will never go by this link.
    """

    taken: bool
    reason: str = ""
    hopeless: bool = False


class Received(NamedTuple):
    """Bytes that came in.

    `sender_hint`: who the link believes sent them, an x-only key in hex or "". `durable`: the
    sender waits until it is acknowledged. `marks`: what the link wants to hear of in `handled`.
    `keep`: it will not come again soon: noted for a reader who is not there yet.
    """

    data: bytes
    sender_hint: str
    link: str
    durable: bool = True
    marks: tuple[str, ...] = ()
    keep: bool = False


class Link(Protocol):
    """One way between nodes."""

    @property
    def name(self) -> str:
        """What it is called in reports; unique among a node's links."""
        ...

    def quality(self) -> float:
        """How good it is just now, 0 (it does not work) to 1; costs nothing to ask."""
        ...

    async def send(self, to: str, data: bytes, *, expires_at: int, durable: bool) -> Delivery:
        """Try once to send; never raises for what a network does. `expires_at` in ms UTC."""
        ...

    def receive(self) -> AsyncIterator[Received]:
        """Whatever comes in, until the link ends."""
        ...

    async def handled(self, received: Received) -> None:
        """What was received is on disk here, or refused: it need never be handed over again."""
        ...

    async def run(self) -> None:
        """Keep the link up until cancelled."""
        ...
