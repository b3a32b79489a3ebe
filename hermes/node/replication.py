"""Replication: the conversations of a fleet on each of its nodes, but the private ones.

What is said here goes at once to the members that are alive, as live letters; what gets lost is
found by comparing heads (`have`), and fetched (`want`, `blocks`). A conversation in which a turn
runs is taken in after it. Of two nodes that meet the one with the lower key says first what it
has: the other answers with what is otherwise there.
"""

from collections.abc import Collection, Mapping

import anyio
import msgspec

from hermes.core.event import Event, Json, Notice, TextDelta, is_final
from hermes.core.ids import ConversationId, TurnId
from hermes.errors import StoreError
from hermes.mesh.arrivals import Arrival
from hermes.mesh.members import Report, Standing
from hermes.node.department import Ground
from hermes.node.replica_books import Books
from hermes.node.replica_intake import Intake
from hermes.node.replica_talk import Talk
from hermes.node.replica_wire import BLOCKS, HAVE, ROWS, WANT, Have, Want, opened, rows_of, total_of
from hermes.store.replica_values import State

_GATHER_S = 0.05
_COMPARE_S = 300.0
_SWEEP_S = 2.0
_YIELD_S = 1.5
_PARTED = "continued on two machines at once: both parts are kept; the next message joins them"


class Replication:
    """One node's part in it (`hermes.node.department.Department`)."""

    def __init__(self, ground: Ground) -> None:
        rooms, self._me = ground.owner.rooms, ground.key.public
        self._bus, self._report, self._shards = rooms.desk.bus, rooms.desk.report, rooms.shards
        self._store, self._replicas = rooms.store, rooms.store.replicas
        self._post, self._clock = ground.post, ground.clock
        self._roster, self._presence = ground.roster, ground.presence
        self._books = Books(self._replicas, self._me)
        self._talk = Talk(self._post, self._replicas, self._books, self._me)
        self._intake = Intake(self._replicas, self._shards, self._books, self._talk, self._report)
        self._intake.parted = self._part
        self._stirred: set[ConversationId] = set()
        self._fresh: set[ConversationId] = set()
        self._met: dict[str, float] = {}  # and when to say to them what is here
        self._compared: dict[str, float] = {}  # and when to compare again, though nobody went
        self._wake = anyio.Event()
        rooms.desk.offer({"replication.status": self.status})

    def learnt(self, report: Report) -> None:
        """A member has come: compare with it; not each time that it says it is still there."""
        if report.standing is Standing.DEAD:
            self._compared.pop(report.node, None)
            return
        now = anyio.current_time()
        if report.standing is Standing.ALIVE and now >= self._compared.get(report.node, now):
            self._compared[report.node] = now + _COMPARE_S
            self._met[report.node] = now if self._me < report.node else now + _YIELD_S
            self._wake.set()

    async def run(self) -> None:
        """Replicate until cancelled."""
        with self._bus.listen(self._hear), self._post.received(HAVE, WANT, BLOCKS) as arrivals:
            async with anyio.create_task_group() as tasks:
                self._intake.tasks = tasks
                tasks.start_soon(self._watch)
                async for arrival in arrivals:
                    await self._take(arrival)
                    if arrival.durable:
                        await self._post.settle(arrival.envelope)

    def place(self, conversation: ConversationId) -> str:
        """The node (x-only key) where a conversation's directory is; "": not known, or private."""
        return self._books.places.get(conversation, "")

    async def fetched(self, conversation: ConversationId) -> None:
        """Return once every member that is alive gave what it has of a conversation."""
        async with anyio.create_task_group() as tasks:
            for node in self._live():
                tasks.start_soon(self._intake.fetch, node, conversation)

    async def status(self) -> Json:
        """How far the others are, what was refused, what is too large."""
        theirs = {node: await self._books.theirs(node) for node in self._roster.others}
        return {
            "shared": len(self._books.mine),
            "behind": {
                node: sum(held.get(place) != one for place, one in self._books.mine.items())
                for node, held in theirs.items()
            },
            "refused": dict(self._intake.refused),
            "large": dict(self._talk.large),
        }

    def _live(self) -> list[str]:
        found = []
        for node in self._roster.others:
            member = self._presence.member(node)
            if member is not None and member.standing is Standing.ALIVE:
                found.append(node)
        return found

    def _hear(self, event: Event) -> None:
        if isinstance(event, TextDelta):
            return
        self._stirred.add(event.conversation_id)
        if is_final(event):
            self._intake.over(event.conversation_id)
        self._wake.set()

    async def _watch(self) -> None:
        await self._books.look()
        swept = anyio.current_time()
        while True:
            with anyio.move_on_after(max(0.0, swept + _SWEEP_S - anyio.current_time())):
                await self._wake.wait()
                await anyio.sleep(_GATHER_S)
            self._wake = anyio.Event()
            stirred, self._stirred = self._stirred, set()
            now = anyio.current_time()
            met = [node for node, at in self._met.items() if at <= now]
            for node in met:
                del self._met[node]
            whole = bool(met) or swept + _SWEEP_S <= now
            try:
                await self._round(None if whole else stirred, met)
            except StoreError as error:
                self._report("replication", error)
            if whole:
                swept = anyio.current_time()

    async def _round(self, only: Collection[ConversationId] | None, met: Collection[str]) -> None:
        """Give what is new; now and then tell who has something else than this node of it."""
        for node in met:
            self._books.met(node)
        changed = {*await self._books.look(only), *self._fresh}
        self._fresh = set()
        for node in self._live():
            fresh = [place for place in changed if place in self._books.mine]
            if fresh:
                await self._talk.push(node, fresh)
            if only is not None or node in self._met:
                continue
            await self._hush(node)
            if (behind := await self._books.behind(node)) or node in met:
                await self._tell(node, behind, total=node in met)

    async def _hush(self, node: str) -> None:
        """What became private here is private where it went before; said until it is so."""
        gone = [place for place in await self._books.theirs(node) if place not in self._books.mine]
        found = await self._replicas.hidden(gone) if gone else ()
        hidden = [ConversationId(place) for place in found]
        for at in range(0, len(hidden), ROWS):
            await self._talk.say(node, Have((), ask=True, private=tuple(hidden[at : at + ROWS])))

    async def _tell(
        self, node: str, states: Mapping[ConversationId, State], *, total: bool = False
    ) -> None:
        rows = rows_of(states)
        self._books.sent(node, states)
        last = max(0, len(rows) - 1) // ROWS * ROWS
        for at in range(0, last + 1, ROWS):
            digest = total_of(self._books.mine) if total and at == last else ""
            await self._talk.say(node, Have(rows[at : at + ROWS], ask=True, total=digest))

    async def _take(self, arrival: Arrival) -> None:
        node, data = arrival.envelope.node_id, arrival.envelope.data
        try:
            match arrival.envelope.payload_type:
                case "have":
                    await self._heard(node, msgspec.json.decode(data, type=Have))
                case "want":
                    want = msgspec.json.decode(data, type=Want)
                    if self._intake.tasks is not None:
                        self._intake.tasks.start_soon(self._give, node, want)
                case _:
                    await self._intake.receive(node, await opened(data))
        except (msgspec.DecodeError, RecursionError, ValueError):
            self._intake.refused["malformed"] += 1
        except StoreError as error:  # it comes again
            self._report("replication", error)

    async def _give(self, node: str, want: Want) -> None:
        try:
            await self._talk.give(node, want)
        except StoreError as error:  # it is asked again
            self._report("replication", error)

    async def _heard(self, node: str, have: Have) -> None:
        said = {row.id: State(row.heads, row.mark) for row in have.rows}
        await self._books.heard(node, said)
        changed = await self._books.look(said.keys())
        self._fresh.update(changed)  # said here a moment ago: others are to have it, too
        mine = self._books.mine
        other = {place: state for place, state in said.items() if mine.get(place) != state}
        here = await self._replicas.here({cid for state in other.values() for cid in state.heads})
        hidden = await self._replicas.hidden(other.keys())
        lacking = [
            place
            for place, state in other.items()
            if place not in hidden
            and (place not in mine or mine[place].mark != state.mark or {*state.heads} - here)
        ]
        self._intake.lack(node, lacking)
        told = {place: mine[place] for place in said if place in mine and place not in lacking}
        if have.ask and told:
            await self._talk.say(node, Have(rows_of(told)))
        if have.private:
            await self._hide(have.private)
            await self._books.forget(node, have.private)
            if have.ask:
                await self._talk.say(node, Have((), private=have.private))
        if have.total and have.total != total_of(await self._books.theirs(node)):
            await self._books.forget(node)  # it has not what it once said, or we forgot it
            await self._talk.say(node, Have((), whole=True))
        if have.total and node in self._met:
            self._met[node] = anyio.current_time()  # it has said all: it is our turn
            self._wake.set()
        if have.whole:
            await self._tell(node, mine)

    async def _hide(self, places: Collection[ConversationId]) -> None:
        for place in await self._replicas.shared(places):
            await self._store.conversations.set_private(place, private=True)
            if loop := self._shards.find(place):
                loop.session.private = True
        await self._books.look(places)

    def _part(self, place: ConversationId) -> None:
        now = self._clock.now_ms()
        told = Notice(conversation_id=place, turn_id=TurnId(""), at=now, text=_PARTED)
        self._bus.publish(told)
