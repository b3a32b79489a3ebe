"""The fleet's comings and goings where no mesh runs: bundles are its only links.

Loaded when a bundle is made or taken. The same fleet and post office as a mesh has, without links.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import anyio

from hermes.config import Settings
from hermes.core.clock import Clock
from hermes.core.event import Json
from hermes.identity.hot import HotKey
from hermes.mesh.link import Received
from hermes.mesh.post import Post
from hermes.node.fleet import Fleet
from hermes.node.fleet_letters import FLEET, JOIN, JOINED
from hermes.node.gathering import Gathering
from hermes.node.roster import Roster
from hermes.node.warrants import Warrants
from hermes.node.whereabouts import Whereabouts
from hermes.store.mesh import Refusal
from hermes.store.store import Store


class Counter:
    """A post office with nobody behind it: what comes for the fleet is done as it is handed in."""

    def __init__(self, post: Post, fleet: Fleet) -> None:
        self.fleet = fleet
        self._post = post
        self._letters = post.received(JOIN, JOINED, FLEET)

    async def take(self, received: Received) -> bool:
        """Take one letter."""
        taken = await self._post.take(received)
        await self.work()
        return taken

    async def refused(self) -> tuple[Refusal, ...]:
        """The counters."""
        return await self._post.refused()

    async def work(self) -> None:
        """Do what came."""
        while True:
            try:
                arrival = self._letters.receive_nowait()
            except anyio.WouldBlock:
                return
            await self.fleet.take(arrival)


class ByHand:
    """Opens the counter (`node.bundles.Quiet`)."""

    def __init__(self, settings: Settings, store: Store, clock: Clock, warrants: Warrants) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._warrants = warrants

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Counter]:
        """A counter; what could not be done before, as the signer was locked, is done first."""
        agent = await self._warrants.agent()
        key = HotKey(bytes.fromhex(await agent.hot_key()))
        roster, places = await self._known()
        fleet = Fleet(self._store, self._warrants, roster, places, self._clock)
        await fleet.load()
        async with Post(key, self._store.mesh, (), self._clock, fleet.admits) as post:
            fleet.post, fleet.met = post, _nobody
            counter = Counter(post, fleet)
            await counter.work()
            yield counter

    async def list(self) -> Json:
        """Everybody who is or was in."""
        settings, (roster, places) = self._settings, await self._known()
        return await Gathering(settings, self._store, roster, places, self._clock).list()

    async def _known(self) -> tuple[Roster, Whereabouts]:
        roster = Roster(self._store, self._settings.data_dir / "identity", self._clock)
        await roster.refresh()
        places = Whereabouts(self._settings.mesh, self._store)
        await places.load()
        return roster, places


async def _nobody(_node: str) -> Mapping[str, str]:
    return {}
