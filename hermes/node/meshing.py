"""The mesh on a live node: its relay, its links, its post office, its fleet, direct messages.

Loaded by `hermes node` alone: a chat pays nothing for it. Nothing is dialled or opened that
the settings do not name, but the relays of the node's own fleet.
"""

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial

import anyio
from anyio.abc import TaskGroup

from hermes.config import Settings
from hermes.core.clock import Clock
from hermes.gateway.client import Client
from hermes.gateway.wire import Wire as Visit
from hermes.identity.hot import HotKey
from hermes.mesh.members import Report, Standing
from hermes.mesh.nostr_adapter import Wire
from hermes.mesh.nostr_direct import DirectLink
from hermes.mesh.nostr_keys import NostrKeys
from hermes.mesh.nostr_link import NostrLink
from hermes.mesh.post import Post
from hermes.mesh.steady import set_back
from hermes.node.blob_house import BlobHouse
from hermes.node.cosigning import Cosigning
from hermes.node.department import Department, Ground
from hermes.node.desk import Query
from hermes.node.dms import Dms
from hermes.node.embedded import Embedded
from hermes.node.fleet import Fleet
from hermes.node.gathering import Gathering, Mesh
from hermes.node.homes import Homes
from hermes.node.owner import Owner
from hermes.node.presence import Presence
from hermes.node.public import Public
from hermes.node.relay_lists import RelayLists
from hermes.node.replication import Replication
from hermes.node.roster import Roster
from hermes.node.watch import Live, Say
from hermes.node.whereabouts import Whereabouts

_RELAY_S = 5.0
_TWIN = "another node lives under this node's key: end one of them"


class Meshing:
    """The parts of a node that need others; `parts` are to be kept going."""

    def __init__(self, settings: Settings, owner: Owner, clock: Clock) -> None:
        self._settings = settings
        self._mesh = settings.mesh
        self._owner = owner
        self._rooms = owner.rooms
        self._store = owner.rooms.store
        self._clock = clock
        self._before: Presence | None = None
        self._roster = Roster(self._store, settings.data_dir / "identity", clock)
        self._places = Whereabouts(settings.mesh, self._store)
        self._embedded = Embedded(settings, self._store, self._roster, clock, self._moved)
        self._gathering = Gathering(settings, self._store, self._roster, self._places, clock)
        self._gathering.held = self._held
        owner.rooms.desk.intake.expect()
        report = owner.rooms.desk.report
        self._blobs = BlobHouse(settings, self._roster, self._places, clock, report)

    def parts(self) -> tuple[tuple[str, Live], ...]:
        """What is to be kept going, by name."""
        relay = (("relay", self._embedded.run),) if self._mesh.listen else ()
        blobs = (("blobs", self._blobs.run),) if self._mesh.blobs else ()
        return (*relay, *blobs, ("mesh", self._run), ("direct messages", self._talk))

    def queries(self) -> Mapping[str, Query]:
        """The table of query names."""
        return {**self._gathering.queries(), **self._blobs.queries()}

    def _held(self) -> Mapping[str, int]:
        return self._rooms.state.held()  # another answers once the mesh is up

    def _moved(self, url: str) -> None:
        self._places.own = url

    async def _run(self, say: Say) -> None:
        key = await self._key()
        await self._roster.refresh()
        await self._places.load()
        async with self._wire(key) as wire, Wire(NostrKeys(key.secret), self._clock) as direct:
            reached = await wire.connect(self._places.read)
            warrants = self._rooms.continuity.warrants
            fleet = Fleet(self._store, warrants, self._roster, self._places, self._clock)
            await fleet.load()
            bundles = self._rooms.bundles
            relays = NostrLink(
                wire,
                self._store.mesh,
                self._clock,
                known=self._roster.admits,
                where=self._places.where,
            )
            links = (DirectLink(direct, self._clock, where=self._places.at_home), relays)
            post = Post(key, self._store.mesh, links, self._clock, fleet.admits)
            post.freight = await self._blobs.freight(key)
            async with (
                post,
                anyio.create_task_group() as tasks,
            ):
                every_s, card = self._mesh.presence_s, self._gathering.card
                presence = Presence(key, post, self._roster, self._clock, card, every_s)
                presence.outlive(self._before.life if self._before else 0)
                self._before = presence
                presence.twin = partial(self._rooms.alarms.set, "twin", _TWIN)
                fleet.post, fleet.met = post, partial(self._meet, wire, presence)
                ground = Ground(
                    self._settings, self._owner, self._clock, key, wire, post, presence,
                    self._roster, self._places, fleet,
                )  # fmt: skip
                departments = _departments(ground)
                relays.reached = partial(self._reached, tasks, post, presence)
                presence.learnt = partial(self._learn, tasks, ground, departments)
                self._gathering.mesh = Mesh(wire, post, fleet, presence)
                bundles.post, bundles.fleet = post, fleet
                tasks.start_soon(set_back, self._clock)
                tasks.start_soon(fleet.run)
                tasks.start_soon(presence.run)
                for one in departments:
                    tasks.start_soon(one.run)
                up = sum(not why for why in reached.values())
                say(f"{up} of {len(reached)} relays, {len(self._roster.others)} other members")
                try:
                    await anyio.sleep_forever()
                finally:
                    self._gathering.mesh = bundles.post = bundles.fleet = None

    async def _talk(self, say: Say) -> None:
        """Direct messages, on a wire of their own: neither falls with the other."""
        key = await self._key()
        async with self._wire(key) as wire, self._door() as door:
            await wire.connect(self._places.read)
            dms = Dms(door, wire, self._clock, self._rooms.desk.report, self._places.told)
            dms.lists = RelayLists(wire, self._store.witness, self._clock)
            dms.follow = self._mesh.follow
            say("listening")
            await dms.run()

    async def _key(self) -> HotKey:
        agent = await self._rooms.continuity.warrants.agent()
        return HotKey(bytes.fromhex(await agent.hot_key()))

    @asynccontextmanager
    async def _wire(self, key: HotKey) -> AsyncGenerator[Wire]:
        if self._mesh.listen:
            with anyio.move_on_after(_RELAY_S):  # without it the others are used
                await self._embedded.up.wait()
        async with Wire(NostrKeys(key.secret), self._clock) as wire:
            yield wire

    @asynccontextmanager
    async def _door(self) -> AsyncGenerator[Client]:
        client = Client(_Here(self._owner), self._clock)
        await client.connect()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.run)
            yield client
            tasks.cancel_scope.cancel()

    async def _meet(self, wire: Wire, presence: Presence, node: str) -> Mapping[str, str]:
        """A node comes in, or is asked to let us in: be where it reads, then say hello."""
        reached = await wire.connect(self._places.where(node))
        if self._roster.admits(node):
            presence.meet((node,))
        return reached

    def _reached(self, tasks: TaskGroup, post: Post, presence: Presence) -> None:
        tasks.start_soon(post.reached)
        presence.reached()

    def _learn(
        self, tasks: TaskGroup, ground: Ground, departments: Iterable[Department], report: Report
    ) -> None:
        tasks.start_soon(self._learnt, ground, report)
        for one in departments:
            one.learnt(report)

    async def _learnt(self, ground: Ground, report: Report) -> None:
        if report.card and await self._places.saw(report.node, report.card):
            await ground.wire.connect(self._places.read)
        if report.standing is Standing.ALIVE:
            await ground.post.present(report.node)


def _departments(ground: Ground) -> tuple[Department, ...]:
    """Made once a mesh is up, one line each."""
    replication = Replication(ground)
    return (
        Cosigning(ground),
        Public(ground),
        replication,
        Homes(ground, replication),
    )


class _Here:
    """The door in this very process (`gateway.client.Opener`)."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    async def open(self) -> tuple[Visit, bool]:
        """A wire to the owner."""
        return self._owner.receive_here(), True
