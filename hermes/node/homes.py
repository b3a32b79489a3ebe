"""Homes: each conversation has one node at a time that runs its turns. Start reading here.

A turn is kept where it is asked (`home_origin`), routed to the home, noted by a majority before it
begins, run there (`home_turns`) and told back (`home_telling`). Who is home, what was begun and
where a parcel goes is decided by `hermes.mesh`'s pure machines; here their actions are done.
"""

from collections.abc import Iterable
from typing import Protocol

import anyio

from hermes.core.ids import ConversationId
from hermes.mesh import intents, routing
from hermes.mesh import lease_values as leasing
from hermes.mesh.members import Report, Standing
from hermes.node.department import Ground
from hermes.node.home_circle import Circle
from hermes.node.home_ears import Ears
from hermes.node.home_ground import HomeGround
from hermes.node.home_letters import CONTROL, EVENTS, INTENTS, LEASE, PARCEL, Body, Mail
from hermes.node.home_machines import Action, Event, Machines
from hermes.node.home_origin import Origin
from hermes.node.home_parcels import Parcels, parcel_of
from hermes.node.home_turns import Hosting
from hermes.node.home_ways import Ways
from hermes.store.homes import ParcelRow

_TICK_S = 0.25
_AGAIN_MS = 3_000
_IDLE_MS = 30_000
_FETCH_S = 2.0
_LEAVE_S = 0.5


class Replication(Protocol):
    """Brings conversations to this node."""

    async def fetched(self, conversation: ConversationId) -> None:
        """Return once what the others have of a conversation is here."""
        ...

    def place(self, conversation: ConversationId) -> str:
        """The node where its directory is; empty: here, or not known."""
        ...


class Homes:
    """One node's part in keeping homes (`node.department.Department`)."""

    def __init__(self, ground: Ground, replication: Replication) -> None:
        rooms, me = ground.owner.rooms, ground.key.public
        self._ground = ground
        self._replication = replication
        self._clock = ground.clock
        self._state = rooms.state
        self._intake = rooms.desk.intake
        self._book = rooms.store.homes
        self._parcels = Parcels(self._book)
        self._mail = Mail(ground.post, ground.roster.admits)
        self._circle = Circle(me, ground.roster, ground.presence.member, ground.clock)
        lease_ms = round(ground.settings.mesh.lease_s * 1000)
        self._machines = Machines(me, lease_ms, self._book, ground.clock)
        self._feed = self._machines.feed
        home = HomeGround(
            me,
            rooms.store,
            rooms.desk.bus,
            self._intake,
            self._parcels,
            self._mail,
            self._circle,
            ground.clock,
        )
        self._hosting = Hosting(home)
        self._origin = Origin(home, self._hosting, self._feed, replication.place)
        self._ways = Ways(home, self._hosting, self._feed)
        self._ears = Ears(home, self._hosting, self._origin, self._feed)
        self._again_at = 0
        self._parted = False
        self._active: dict[str, int] = {}

    async def run(self) -> None:
        """Work until cancelled."""
        await self._parcels.load()
        await self._machines.restore(self._parcels.talks)
        arrivals = self._ground.post.received(LEASE, INTENTS, PARCEL, EVENTS, CONTROL)
        async with anyio.create_task_group() as tasks:
            self._hosting.tasks, self._hosting.ended = tasks, self._touch
            for part in (self._mail.run, self._tick):
                tasks.start_soon(part)
            tasks.start_soon(self._ears.run, arrivals)
            self._count()
            self._ground.roster.changed.append(self._count)
            self._intake.route = self._origin
            self._state.home, self._state.peers = self._machines.home, self._peers
            self._state.held = self._machines.held
            try:
                while True:
                    await self._machines.due()
                    await self._machines.clear(self._parcels.talks)
                    for event, actions in self._machines.steps():
                        for action in actions:
                            await self._act(action, event)
            finally:
                self._ground.roster.changed.remove(self._count)
                self._intake.route = None
                self._state.forget_fleet()
                await self._leave()

    def learnt(self, report: Report) -> None:
        """A member came, is doubted, or went."""
        if report.standing is Standing.ALIVE:
            self._circle.heard(report.node)
        self._count()
        self._hosting.moved()

    async def _act(self, action: Action, event: Event) -> None:  # noqa: C901, PLR0912 - one table
        """Do what a machine wants done; what it wants stored is on disk before it goes on."""
        match action:
            case routing.Handle(parcel, epoch):
                await self._ways.handle(parcel, epoch)
            case routing.Forward(parcel, to):
                await self._ways.forward(parcel, to)
            case routing.Claim(conversation, place):
                self._feed(leasing.Want(conversation, place))
            case routing.Undelivered(parcel, reason):
                await self._ways.undelivered(parcel, reason)
            case leasing.Store(promise):
                await self._machines.promise(promise)
            case leasing.Send(to, message):
                self._say(to, LEASE, message)
            case leasing.Gained(conversation, fence, until, renewed):
                self._settled(conversation, fence, until)
                if not renewed:
                    self._touch(conversation)
                    self._hosting.tasks.start_soon(self._prepare, conversation, fence.epoch)
            case leasing.Known(conversation, fence, until):
                self._settled(conversation, fence, until)
            case leasing.Lost(conversation, _):
                self._feed(intents.Ended(conversation))
                self._feed(routing.Unsettled(conversation))
            case intents.Store(conversation, book):
                mine = isinstance(event, intents.Propose)
                await self._machines.note(conversation, book, mine=mine)
            case intents.Send(to, message):
                self._say(to, INTENTS, message)
            case intents.Ready(conversation, _):
                self._ready(conversation)
            case intents.Go(conversation, turn):
                row = self._parcels.get(turn)
                if row and self._machines.epoch(conversation) is not None:
                    await self._hosting.begin(row)
            case intents.Already(conversation, turn):
                await self._already(conversation, turn)

    async def _already(self, conversation: str, turn: str) -> None:
        row = self._parcels.get(turn)
        since = self._machines.since(conversation, quorate=self._circle.is_quorate)
        if row and since is not None and not self._hosting.runs(turn):
            await self._ways.already(row, since)

    def _settled(self, conversation: str, fence: leasing.Fence, until: int) -> None:
        if fence.holder == self._circle.me:
            self._machines.gained(conversation, fence.epoch, until)
        if self._machines.settle(conversation, fence, until):
            self._ask_again(self._parcels.of(conversation))

    def _ready(self, conversation: str) -> None:
        rows = self._parcels.of(conversation)
        self._ask_again(rows)
        if not rows and not self._hosting.busy(conversation):
            self._feed(leasing.Drop(conversation))  # somebody left it, and nobody asks for it

    async def _prepare(self, conversation: str, epoch: int) -> None:
        with anyio.move_on_after(_FETCH_S):
            await self._replication.fetched(ConversationId(conversation))
        if self._machines.epoch(conversation) == epoch:
            self._feed(intents.Began(conversation, epoch))

    def _ask_again(self, rows: Iterable[ParcelRow]) -> None:
        for row in rows:
            self._feed(routing.Came(parcel_of(row)))

    def _touch(self, conversation: str) -> None:
        self._active[conversation] = self._clock.now_ms()

    def _say(self, to: str, kind: str, message: Body) -> None:
        if not self._circle.is_gone(to):
            self._mail.say(to, kind, message)

    def _count(self) -> None:
        self._machines.count(self._circle.voters, self._circle.live)
        parted, self._parted = self._parted, not self._circle.is_quorate
        if parted and not self._parted:
            # What was held without a majority is asked for anew: another may hold it with one.
            for conversation in self._machines.alone():
                if not self._hosting.busy(conversation):
                    self._feed(leasing.Drop(conversation))

    def _peers(self) -> int:
        return len(self._circle.live) - 1

    async def _tick(self) -> None:
        """Time passes for the machines, and what was asked for here is asked for again."""
        while True:
            self._circle.missed(self._machines.leases)
            self._count()
            self._machines.tick()
            now = self._clock.now_ms()
            if now >= self._again_at:
                self._again_at = now + _AGAIN_MS
                self._ask_again(self._parcels.by(self._circle.me))
                self._drop_idle(now)
            await anyio.sleep(_TICK_S)

    def _drop_idle(self, now: int) -> None:
        tenures = self._machines.leases.tenures
        self._active = {name: at for name, at in self._active.items() if name in tenures}
        for conversation in tenures:
            quiet = self._active.get(conversation, 0) + _IDLE_MS <= now
            idle = not self._hosting.busy(conversation) and not self._parcels.of(conversation)
            if quiet and idle and self._machines.epoch(conversation) is not None:
                self._feed(leasing.Drop(conversation))

    async def _leave(self) -> None:
        """Let go of what nothing runs in, so that nobody has to wait for it."""
        with anyio.move_on_after(_LEAVE_S, shield=True):
            for conversation in tuple(self._machines.leases.tenures):
                if self._hosting.busy(conversation):
                    continue
                for action in self._machines.step(leasing.Drop(conversation)):
                    if isinstance(action, leasing.Store):
                        await self._machines.promise(action.promise)
                    elif isinstance(action, leasing.Send):
                        await self._mail.say_now(action.to, LEASE, action.message)
