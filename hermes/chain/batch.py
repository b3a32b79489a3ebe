"""What the calendar needs of whoever anchors: roots go in, their settled places come out.

Apart from the calendar so that naming it does not load OpenTimestamps.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec

from hermes.chain.backend import Place
from hermes.chain.work import sha256d, shown
from hermes.core.anchor import AnchorKind, Payload
from hermes.errors import NotAvailable
from hermes.store.anchors import Anchors

_DIGEST = 32


class Mined(msgspec.Struct, frozen=True):
    """A transaction that is deep enough: its bytes, its place, and its block's header.

    `final`: no reorganisation is reckoned with any more.
    """

    raw: bytes
    place: Place
    header: bytes
    final: bool

    @property
    def block(self) -> str:
        """The block's hash as people write it."""
        return shown(sha256d(self.header))


class Batcher(Protocol):
    """Gets roots into the chain, each in a BATCH anchor."""

    async def anchor(self, root: bytes) -> None:
        """Send a root; one that was sent before is left alone. Raises HermesError leaves."""
        ...

    async def settled(self, root: bytes) -> Mined | None:
        """Where a root stands once it is settled; None before, and again after a reorg."""
        ...


class AnchorBatcher:
    """Batches as BATCH anchors beside all others: whoever keeps anchors builds and sends them.

    `wake` tells that one that there is a new draft.
    """

    def __init__(self, anchors: Anchors, wake: Callable[[], None]) -> None:
        self._anchors = anchors
        self._wake = wake

    async def anchor(self, root: bytes) -> None:
        """Keep a draft for a root, unless there is an anchor of it that is not lost.

        Raises NotAvailable before the identity's genesis is anchored: that one comes first.
        """
        if await self._anchors.newest() is None:
            raise NotAvailable("nothing is anchored yet; the batch waits", "hermes anchor now")
        known = await self._anchors.with_payload(_payload(root))
        if all(one.state == "lost" for one in known):
            await self._anchors.add(int(AnchorKind.BATCH), _payload(root))
        self._wake()

    async def settled(self, root: bytes) -> Mined | None:
        """Where the anchor of a root stands."""
        for one in await self._anchors.with_payload(_payload(root)):
            if one.state in {"settled", "final"} and one.mined is not None:
                steps = range(0, len(one.branch), _DIGEST)
                branch = tuple(one.branch[at : at + _DIGEST] for at in steps)
                place = Place(one.height, one.position, branch)
                return Mined(one.mined.raw, place, one.header, final=one.state == "final")
        return None


def _payload(root: bytes) -> bytes:
    return Payload(AnchorKind.BATCH, root).encode()
