"""Replication: the conversations of a fleet on each of its nodes, but the private ones.

What is said here goes at once to the members that are alive, as live letters; what gets lost is
found by comparing heads (`have`), and fetched (`want`, `blocks`). A conversation in which a turn
runs is taken in after it.
"""

import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial

import anyio
import msgspec
from anyio.abc import TaskGroup

from hermes.core.event import Event, Json, Notice, TextDelta, is_final
from hermes.core.ids import Cid, ConversationId, TurnId
from hermes.errors import StoreError
from hermes.mesh.arrivals import Arrival
from hermes.mesh.envelope import Letter
from hermes.mesh.members import Report, Standing
from hermes.node.department import Ground
from hermes.node.replica_books import Books
from hermes.node.replica_wire import (
    ASKS,
    BLOCKS,
    HAVE,
    MOST,
    ROWS,
    WANT,
    Blocks,
    Have,
    Want,
    ask_of,
    pack,
    rows_of,
    total_of,
    unpack,
)
from hermes.store.replica_values import Parcel, State, Taken
from hermes.store.replicas import Wanted

_TTL_MS = 60_000
_GATHER_S = 0.05
_SWEEP_S = 2.0
_ANSWER_S = 10.0
_AT_ONCE = 16
_PARTED = "continued on two machines at once: both parts are kept; the next message joins them"


class Replication:
    """One node's part in it (`hermes.node.department.Department`)."""

    def __init__(self, ground: Ground) -> None:
        rooms = ground.owner.rooms
        self._bus, self._shards = rooms.desk.bus, rooms.shards
        self._report = rooms.desk.report
        self._replicas = rooms.store.replicas
        self._post, self._clock = ground.post, ground.clock
        self._roster, self._presence = ground.roster, ground.presence
        self._me = ground.key.public
        self._books = Books(self._replicas, self._me)
        self._stirred: set[ConversationId] = set()
        self._met: set[str] = set()
        self._wake = anyio.Event()
        self._lacking: dict[str, dict[ConversationId, None]] = {}
        self._later: dict[ConversationId, set[str]] = {}
        self._answers: dict[str, anyio.Event] = {}
        self._tasks: TaskGroup | None = None
        self.refused: Counter[str] = Counter()
        """Blocks that were not let in, by reason."""
        self.large: dict[ConversationId, Cid] = {}
        """Messages that no letter holds, by conversation: what follows them stays here."""
        rooms.desk.offer({"replication.status": self.status})

    def learnt(self, report: Report) -> None:
        """A member is there: compare with it."""
        if report.standing is Standing.ALIVE:
            self._met.add(report.node)
            self._wake.set()

    async def run(self) -> None:
        """Replicate until cancelled."""
        with self._bus.listen(self._hear), self._post.received(HAVE, WANT, BLOCKS) as arrivals:
            async with anyio.create_task_group() as self._tasks:
                self._tasks.start_soon(self._watch)
                async for arrival in arrivals:
                    await self._take(arrival)
                    if arrival.durable:
                        await self._post.settle(arrival.envelope)

    async def place(self, conversation: ConversationId) -> str:
        """The node (x-only key) on whose machine a conversation's directory is."""
        return await self._replicas.place(conversation) or self._me

    async def fetched(self, conversation: ConversationId) -> None:
        """Return once every member that is alive gave what it has of a conversation."""
        async with anyio.create_task_group() as tasks:
            for node in self._live():
                tasks.start_soon(self._fetch, node, conversation)

    async def status(self) -> Json:
        """How far the others are, what was refused, what is too large."""
        behind = {node: len(await self._books.behind(node)) for node in self._roster.others}
        return {
            "shared": len(self._books.mine),
            "behind": behind,
            "refused": dict(self.refused),
            "large": dict(self.large),
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
            for node in self._later.pop(event.conversation_id, ()):
                self._lack(node, (event.conversation_id,))
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
            met, self._met = self._met, set()
            try:
                if swept + _SWEEP_S <= anyio.current_time() or met:
                    await self._push(await self._books.look())
                    await self._sweep(met)
                    swept = anyio.current_time()
                elif stirred:
                    await self._push(await self._books.look(stirred))
            except StoreError as error:
                self._report("replication", error)

    async def _push(self, changed: Collection[ConversationId]) -> None:
        """Give what is new here to who is there."""
        for node in self._live() if changed else ():
            parcels: list[Parcel] = []
            size = 0
            for place in changed:
                wanted = Wanted(place, await self._books.base(node, place))
                cut = await self._replicas.cut(wanted, self._me, MOST)
                self._weigh(place, cut.large)
                if cut.parcel is None:
                    continue
                if size + cut.size > MOST or len(parcels) >= ASKS:
                    await self._send_blocks(node, Blocks("", tuple(parcels)))
                    parcels, size = [], 0
                parcels.append(cut.parcel)
                size += cut.size
            if parcels:
                await self._send_blocks(node, Blocks("", tuple(parcels)))
            self._books.sent(node, changed)

    async def _sweep(self, met: Collection[str]) -> None:
        """Tell who has something else than this node of it."""
        for node in self._live():
            behind = await self._books.behind(node)
            if behind or node in met:
                await self._tell(node, behind, total=node in met)

    async def _tell(
        self, node: str, states: Mapping[ConversationId, State], *, total: bool = False
    ) -> None:
        rows = rows_of(states)
        self._books.sent(node, states)
        last = max(0, len(rows) - 1) // ROWS * ROWS
        for at in range(0, last + 1, ROWS):
            digest = total_of(self._books.mine) if total and at == last else ""
            await self._say(node, Have(rows[at : at + ROWS], ask=True, total=digest))

    async def _say(self, node: str, what: Have | Want) -> bool:
        kind = HAVE if isinstance(what, Have) else WANT
        letter = Letter(node, kind, msgspec.json.encode(what), ttl_ms=_TTL_MS)
        return (await self._post.send_live(letter)).taken

    async def _send_blocks(self, node: str, blocks: Blocks) -> None:
        await self._post.send_live(Letter(node, BLOCKS, pack(blocks), ttl_ms=_TTL_MS))

    async def _take(self, arrival: Arrival) -> None:
        node, data = arrival.envelope.node_id, arrival.envelope.data
        try:
            match arrival.envelope.payload_type:
                case "have":
                    await self._heard(node, msgspec.json.decode(data, type=Have))
                case "want":
                    await self._give(node, msgspec.json.decode(data, type=Want))
                case _:
                    await self._receive(node, unpack(data))
        except (msgspec.DecodeError, RecursionError, ValueError):
            self.refused["malformed"] += 1
        except StoreError as error:  # it comes again
            self._report("replication", error)

    async def _heard(self, node: str, have: Have) -> None:
        said = {row.id: State(row.heads, row.mark) for row in have.rows}
        await self._books.heard(node, said)
        await self._books.look(said.keys())
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
        self._lack(node, lacking)
        if have.ask:
            told = {place: mine[place] for place in said if place in mine and place not in lacking}
            if told:
                await self._say(node, Have(rows_of(told)))
        if have.total and have.total != total_of(await self._books.theirs(node)):
            await self._books.forget(node)  # it has not what it once said, or we lost it
            await self._say(node, Have((), whole=True))
        if have.whole:
            await self._tell(node, mine)

    def _lack(self, node: str, places: Iterable[ConversationId]) -> None:
        """Ask a node for these; one question at a time."""
        if not (wanted := dict.fromkeys(places)) or self._tasks is None:
            return
        if node in self._lacking:
            self._lacking[node] |= wanted
        else:
            self._lacking[node] = wanted
            self._tasks.start_soon(self._ask_all, node)

    async def _ask_all(self, node: str) -> None:
        try:
            while waiting := self._lacking.get(node):
                places = list(waiting)[:ASKS]
                if not await self._ask(node, places):
                    break  # it is told of again once it is there
        finally:
            self._lacking.pop(node, None)

    async def _ask(self, node: str, places: Sequence[ConversationId]) -> bool:
        """Ask for some conversations; True once an answer was taken in."""
        asks = tuple([ask_of(await self._replicas.wanted(place)) for place in places])
        number = secrets.token_hex(8)
        answered = self._answers[number] = anyio.Event()
        try:
            if await self._say(node, Want(number, asks)):
                with anyio.move_on_after(_ANSWER_S):
                    await answered.wait()
            return answered.is_set()
        finally:
            del self._answers[number]

    async def _fetch(self, node: str, conversation: ConversationId) -> None:
        while await self._ask(node, (conversation,)):
            if conversation not in self._lacking.get(node, ()):
                return

    async def _give(self, node: str, want: Want) -> None:
        parcels, none, left = [], [], MOST
        for ask in want.asks:
            cut = await self._replicas.cut(Wanted(ask.id, ask.known), self._me, left)
            if cut.parcel is None:
                none.append(ask.id)
                continue
            if cut.parcel.more and not cut.parcel.blocks:
                break
            self._weigh(ask.id, cut.large if left == MOST else None)
            parcels.append(cut.parcel)
            left -= cut.size
        await self._send_blocks(node, Blocks(want.number, tuple(parcels), tuple(none)))

    def _weigh(self, place: ConversationId, large: Cid | None) -> None:
        if large is not None:
            self.large[place] = large

    async def _receive(self, node: str, blocks: Blocks) -> None:
        parcels = {parcel.id: parcel for parcel in blocks.parcels}
        taken: dict[ConversationId, Taken] = {}
        async with self._shards.aside(parcels) as busy, anyio.create_task_group() as tasks:
            places = anyio.CapacityLimiter(_AT_ONCE)
            for place, parcel in parcels.items():
                if place in busy:
                    self._later.setdefault(place, set()).add(node)
                else:
                    tasks.start_soon(partial(self._keep, parcel, taken, places))
        waiting = self._lacking.get(node, {})
        again = []
        for place, came in taken.items():
            self.refused.update(came.refused)
            waiting.pop(place, None)
            if (
                parcels[place].more
                or (came.lacking and came.fresh)
                or (came.lacking and not blocks.number)
            ):
                again.append(place)
            if came.parted:
                self._part(place)
        for place in (*blocks.none, *busy):
            waiting.pop(place, None)
        self._lack(node, again)
        await self._books.look([place for place, came in taken.items() if came.moved])
        told = {place: state for place in taken if (state := self._books.mine.get(place))}
        if told:
            await self._say(node, Have(rows_of(told)))
        if (answered := self._answers.get(blocks.number)) is not None:
            answered.set()

    async def _keep(
        self,
        parcel: Parcel,
        taken: dict[ConversationId, Taken],
        places: anyio.CapacityLimiter,
    ) -> None:
        async with places:
            taken[parcel.id] = await self._replicas.take(parcel, self._me)

    def _part(self, place: ConversationId) -> None:
        now = self._clock.now_ms()
        told = Notice(conversation_id=place, turn_id=TurnId(""), at=now, text=_PARTED)
        self._bus.publish(told)
