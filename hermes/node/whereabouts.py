"""Where nodes read: what this one tells others, and what it was told, kept over restarts."""

import msgspec

from hermes.config import Mesh
from hermes.mesh.members import Card
from hermes.store.store import Store

MOST = 12
"""Relays that are read at, most."""
HOME = "relay"
"""The capability of a node whose first relay is its own."""


class Whereabouts:
    """Addresses; "" while there is none.

    `own` is the embedded relay's as this machine dials it, `blobs` the blob endpoint's.
    """

    def __init__(self, mesh: Mesh, store: Store) -> None:
        self._mesh = mesh
        self._store = store
        self._cards: dict[str, Card] = {}
        self.own = ""
        self.listed: dict[str, tuple[str, ...]] = {}
        """Where nodes read by their relay lists, which may know more than their last card."""
        self.blobs = ""

    @property
    def told(self) -> tuple[str, ...]:
        """Where this node reads, as others dial it; its own relay first."""
        mine = (self._mesh.advertise,) if self._mesh.listen and self._mesh.advertise else ()
        return tuple(dict.fromkeys(map(_plain, (*mine, *self._mesh.relays))))

    @property
    def is_home(self) -> bool:
        """Whether the first of them is its own."""
        return bool(self._mesh.listen and self._mesh.advertise)

    @property
    def read(self) -> tuple[str, ...]:
        """Where this node has to read: its own relay, those of the settings, members' own."""
        named = (self.own, *self._mesh.relays)
        homes = (url for node in self._cards for url in self.at_home(node))
        given = (
            url for card in self._cards.values() for url in card.relays[:2] if not card.version
        )
        found = map(_plain, (*named, *given, *homes))
        return tuple(url for url in dict.fromkeys(found) if url)[:MOST]

    async def load(self) -> None:
        """Read what was known before."""
        for row in await self._store.peers.seen():
            self._cards[row.node] = msgspec.json.decode(row.card, type=Card)

    async def saw(self, node: str, card: Card) -> bool:
        """Take a node's card; whether it reads at other relays than before."""
        before = self._cards.get(node)
        if before and card.version <= before.version and not (card.version == 0 == before.version):
            return False
        self._cards[node] = card
        moved = not before or before.relays != card.relays
        if not before or moved or before.blobs != card.blobs:
            await self._store.peers.saw(node, msgspec.json.encode(card).decode())
        return moved

    def blobs_of(self, node: str) -> str:
        """Where a node says that it serves chunks."""
        card = self._cards.get(node)
        return card.blobs if card else ""

    def where(self, node: str) -> tuple[str, ...]:
        """The relays where a node reads, as this machine dials them; nothing: not known."""
        card, listed = self._cards.get(node), self.listed.get(node, ())
        mine = self.told[0] if self.is_home else ""
        return tuple(
            self.own if url == mine and self.own else url
            for url in dict.fromkeys(map(_plain, (*(card.relays if card else ()), *listed)))
        )

    def is_known(self, node: str) -> bool:
        """Whether a node said itself where it reads."""
        card = self._cards.get(node)
        return card is not None and bool(card.relays)

    def at_home(self, node: str) -> tuple[str, ...]:
        """A node's own relay."""
        card = self._cards.get(node)
        return tuple(map(_plain, card.relays[:1])) if card and HOME in card.capabilities else ()


def _plain(url: str) -> str:
    return url.rstrip("/")
