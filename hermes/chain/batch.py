"""What the calendar needs of whoever anchors: roots go in, their settled places come out.

Apart from the calendar so that naming it does not load OpenTimestamps.
"""

from typing import Protocol

import msgspec

from hermes.chain.backend import Place
from hermes.chain.work import sha256d, shown


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
