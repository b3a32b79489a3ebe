"""What this node says of itself, and how its mesh looks just now: the queries of `hermes peers`."""

import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

import anyio.to_thread

import hermes
from hermes.config import Settings
from hermes.core.checkpoint import checkpoint_in
from hermes.core.clock import Clock, rfc3339
from hermes.core.event import Json
from hermes.errors import NotAvailable
from hermes.identity.members import Membership
from hermes.identity.npub import npub_of
from hermes.mesh.clocks import words
from hermes.mesh.members import Card
from hermes.mesh.nostr_adapter import Wire
from hermes.mesh.post import Post
from hermes.node.desk import Query
from hermes.node.fleet import Fleet
from hermes.node.presence import Presence, word
from hermes.node.roster import Roster
from hermes.node.whereabouts import HOME, Whereabouts
from hermes.store.store import Store

_MOST_LOAD = 10


class Mesh(NamedTuple):
    """The mesh while it is up."""

    wire: Wire
    post: Post
    fleet: Fleet
    presence: Presence


class Gathering:
    """Answers about the mesh; `mesh` is None while it is down."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        roster: Roster,
        places: Whereabouts,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._store = store
        self._roster = roster
        self._places = places
        self._clock = clock
        self.mesh: Mesh | None = None
        self.held: Callable[[], Mapping[str, int]] = dict
        """The owner's, who knows which node holds how many conversations."""

    def queries(self) -> Mapping[str, Query]:
        """The table of query names."""
        return {
            "peers.list": self.list,
            "peers.invite": self.invite,
            "peers.join": self.join,
            "peers.revoke": self.revoke,
            "mesh.status": self.status,
        }

    async def list(self) -> Json:
        """Everybody who is or was in, with what was heard of them."""
        await self._roster.refresh()
        others = [one for one in self._roster.all if one.node != self._roster.me]
        me = Membership(self._roster.me, ("node",), 0, 0, "valid")
        found = [one for one in self._roster.all if one.node == self._roster.me]
        return [self._row(one) for one in (*(found or [me]), *others)]

    async def invite(self, name: str = "", minutes: int = 10) -> Json:
        """See `Fleet.invite`."""
        return await self._up().fleet.invite(name, minutes)

    async def join(self, code: str) -> Json:
        """See `Fleet.join`."""
        return await self._up().fleet.join(code)

    async def revoke(self, node: str, reason: str = "") -> Json:
        """See `Fleet.revoke`."""
        return await self._up().fleet.revoke(node, reason)

    async def status(self) -> Json:
        """How the relays do, what was refused, what is said of this node."""
        mesh, now = self._up(), self._clock.now_ms()
        relays = []
        for url in mesh.wire.urls:
            health = mesh.wire.health(url)
            quality = round(health.quality(now), 3)
            relays.append({"url": url, "quality": quality, "reason": health.reason})
        return {
            "key": npub_of(self._roster.me),
            "listen": self._places.own,
            "told": [*self._places.told],
            "relays": relays,
            "lies": mesh.wire.lies,
            "dropped": dict(mesh.presence.dropped),
            "clocks": [
                {"npub": npub_of(node), "ahead_s": round(apart / 1000), "says": words(apart)}
                for node, apart in mesh.post.clocks.all().items()
            ],
            "refused": [
                {"reason": one.reason, "sender": one.sender, "times": one.times}
                for one in await mesh.post.refused()
            ],
        }

    async def card(self) -> Card:
        """What this node says of itself."""
        note = await self._store.checkpoints.latest()
        model = self._settings.model.rpartition("/")[2][:128]
        cores = os.cpu_count() or 1
        load = await anyio.to_thread.run_sync(os.getloadavg)
        return Card(
            version=0,
            expires_at=0,
            capabilities=("chat", "tools", *((HOME,) if self._places.is_home else ())),
            models=(model,) if model else (),
            load=min(_MOST_LOAD, round(_MOST_LOAD * load[0] / cores)),
            release=hermes.__version__,
            checkpoint=_checkpoint(note),
            relays=tuple(url for url in self._places.told if len(url) <= 128)[:8],  # noqa: PLR2004 - a card's bounds
            blobs=self._places.blobs,
        )

    def _up(self) -> Mesh:
        if self.mesh is None:
            raise NotAvailable("the mesh is not up here", "hermes doctor says what is missing")
        return self.mesh

    def _row(self, one: Membership) -> Json:
        now, own = self._clock.now_ms(), one.node == self._roster.me
        held = self.mesh.presence.member(one.node) if self.mesh else None
        card = held.card if held else None
        return {
            "node": one.node,
            "npub": npub_of(one.node),
            "state": "this node" if own else one.state if one.state != "valid" else word(held, now),
            "member": one.state,
            "roles": [*one.roles],
            "since": rfc3339(held.since) if held else None,
            "load": card.load if card else None,
            "release": card.release if card else None,
            "capabilities": [*card.capabilities] if card else [],
            "models": [*card.models] if card else [],
            "checkpoint": card.checkpoint if card else "",
            "relays": [*(card.relays if card else self._places.where(one.node))],
            "blobs": self._places.blobs if own else card.blobs if card else "",
            "reason": one.reason,
            "ahead_s": round(self.mesh.post.clocks.apart(one.node) / 1000) if self.mesh else 0,
            "homes": self.held().get(one.node, 0),
        }


def _checkpoint(note: str | None) -> str:
    if note is None:
        return ""
    found = checkpoint_in(note)
    return f"{found.size} {found.root.hex()}"
