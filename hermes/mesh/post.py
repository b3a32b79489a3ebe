"""The post office: envelopes out over the best link until they are acknowledged, and in, once.

What came durably is noted on disk before it is handed over; its sender is told when the reader
settles it. Settle as soon as its effect is durable, not when a long task ends: until then the
sender sends it again.
"""

from collections.abc import Sequence
from typing import Self

import anyio
import msgspec
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream

from hermes.core.clock import Clock
from hermes.core.ids import Cid
from hermes.errors import BlobRefused
from hermes.identity.hot import HotKey
from hermes.mesh import outbox
from hermes.mesh.arrivals import Admits, Arrival, Arrivals
from hermes.mesh.best_link import by_best
from hermes.mesh.collecting import Hands
from hermes.mesh.consignment import BLOB, MOST_WHOLE
from hermes.mesh.departures import Departures, Outcome
from hermes.mesh.envelope import MOST_PAYLOAD, Envelope, Letter, seal
from hermes.mesh.freight import Freight
from hermes.mesh.link import Delivery, Link, Received
from hermes.store.mesh import MeshBook, Refusal, Undelivered

ACK = "ack"
MOST_ACKS = 200
_FRESH_MS = 30_000
ACK_TTL_MS = 24 * 3_600_000
_SWEEP_S = 5.0
_WEEK_MS = 7 * 24 * 3_600_000
_MONTH_S = 31 * 24 * 3_600


class Acks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The payload of an `ack`: ids of envelopes whose effects are durable."""

    ids: tuple[str, ...]


class Post:
    """One node's post office; use as an async context manager, while its links are open.

    Set `freight` before it is entered, and letters may be large.
    """

    def __init__(
        self, key: HotKey, book: MeshBook, links: Sequence[Link], clock: Clock, admits: Admits
    ) -> None:
        self.freight: Freight | None = None
        self.me = key.public
        self._key = key
        self._book = book
        self._links = tuple(links)
        self._clock = clock
        self._admits = admits
        self._seq = 0
        self._out = Departures(book, links, clock)
        self._in = Arrivals(key.public, book, clock, admits)
        self._in.acknowledge = self._acknowledge
        self.clocks = self._in.clocks
        """How far members' clocks are from ours."""
        self._acks: dict[tuple[str, bool], list[str]] = {}
        self._acks_due = anyio.Event()
        self._tasks: TaskGroup

    async def __aenter__(self) -> Self:
        await self._in.restore()
        if self.freight is not None:
            await self.freight.restore(self._book)
        await self._out.restore()
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        if self.freight is not None:
            hands = Hands(self._in.forward, self._in.refuse, self._admits)
            self.freight.begin(self._tasks, self.received(BLOB), hands, self.present)
            self._out.hold, self._out.over = self.freight.out.hold, self.freight.out.end
        self._tasks.start_soon(self._out.run)
        self._tasks.start_soon(self._send_acks)
        self._tasks.start_soon(self._sweep)
        for link in self._links:
            self._tasks.start_soon(link.run)
            self._tasks.start_soon(self._receive, link)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._tasks.cancel_scope.cancel()
        try:
            await self._tasks.__aexit__(None, None, None)
        finally:
            self._in.close()
            self._out.close()
            with anyio.CancelScope(shield=True):
                await self._in.write_counts()

    async def send(self, letter: Letter, *, lane: str = "") -> Cid:
        """Send until acknowledged or expired; returns its id once it is on disk.

        Letters to one recipient in one lane arrive in order, one after another; "" keeps none.
        A payload above 256 KiB goes as sealed chunks where this node or its recipient has a blob
        endpoint, and may then have 64 MiB, else 1 MiB; its reader notices nothing.

        Raises:
            ValueError: nobody would accept it.
            BlobRefused: it is too large to go there ("too large", "no endpoint"), or there is no
                room for it here ("over quota", "disk full").
        """
        freight, size = self.freight, len(letter.payload)
        if freight and size > MOST_WHOLE and freight.out.reaches(letter.to):
            return await self._ship(freight, letter, lane)
        if size > MOST_PAYLOAD:
            raise BlobRefused(
                "no endpoint", f"{size} bytes need a blob endpoint, here or there", "set mesh.blobs"
            )
        envelope = self._sealed(letter)
        await self._out.put(envelope, lane)
        return envelope.id

    async def send_live(self, letter: Letter) -> Delivery:
        """Send once, to who listens now; kept by nobody, acknowledged by nobody."""
        envelope = self._sealed(letter)
        return await by_best(self._links, envelope, self._tasks, durable=False)

    async def outcome(self, letter: str, to: str = "") -> Outcome:
        """Wait until a letter arrived or is given up."""
        return await self._out.outcome(letter, to)

    def received(self, *types: str) -> MemoryObjectReceiveStream[Arrival]:
        """All payloads of these types; raises ValueError where somebody else reads one of them.

        A type that nobody reads is not acknowledged: its senders try again.
        """
        return self._in.claim(types)

    async def settle(self, envelope: Envelope, *, noted: bool = False) -> None:
        """The effect of a durable arrival is on disk; its sender is told.

        `noted`: the statement `MeshBook.finishing(envelope.id)` was committed with the effect.
        """
        await self._in.finish(envelope, noted=noted)
        if self.freight is not None:
            self.freight.into.settled(envelope)

    async def take(self, received: Received) -> bool:
        """Take what came, as from a link; whether it need never be handed over again."""
        envelope = await self._in.take(received)
        if envelope is None:
            return True
        if envelope.payload_type != ACK:
            taken = await self._in.deliver(envelope, received)
            if self.freight is not None and envelope.payload_type == BLOB:
                self.freight.into.stir(name=envelope.id)
            return taken
        try:
            found = msgspec.json.decode(envelope.payload, type=Acks)
        except (msgspec.DecodeError, RecursionError):
            await self._in.refuse("malformed", envelope.node_id)
        else:
            await self._out.acknowledged(found.ids[:MOST_ACKS], envelope.node_id)
        return True

    async def present(self, node: str) -> None:
        """A node was heard of: what waits for it goes now."""
        await self._out.feed(outbox.Present(node))
        if self.freight is not None:
            self.freight.into.stir(node)

    async def reached(self) -> None:
        """A line works again: whatever waits goes now."""
        await self._out.feed(outbox.Reached())

    async def withdraw(self, letter: str) -> None:
        """A letter is not to go there any more."""
        await self._out.withdraw(letter)

    async def refused(self) -> tuple[Refusal, ...]:
        """Who was refused, why and how often."""
        await self._in.write_counts()
        return await self._book.refused()

    async def lost(self, since: int) -> tuple[Undelivered, ...]:
        """What did not arrive, and ended at or after `since` (ms)."""
        return await self._book.lost(since)

    async def _ship(self, freight: Freight, letter: Letter, lane: str) -> Cid:
        note, consignment = await freight.out.seal(letter)
        name = ""
        try:
            envelope = self._sealed(note)
            name = envelope.id
            freight.out.put(name, letter.to, consignment)
            await self._out.put(envelope, lane)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await freight.out.drop(name, consignment)
            raise
        return envelope.id

    def _sealed(self, letter: Letter) -> Envelope:
        if letter.to == self.me:
            raise ValueError("a letter to oneself")
        now = self._clock.now_ms()
        self._seq = max(self._seq + 1, now * 1000)  # grows over restarts too, without a counter
        return seal(self._key, letter, self._seq, now)

    async def _receive(self, link: Link) -> None:
        async for received in link.receive():
            if await self.take(received):
                await link.handled(received)

    async def _acknowledge(self, envelope: Envelope) -> None:
        """To who waits just now at once; to others so that it lies there when they come."""
        fresh = self._clock.now_ms() - envelope.issued_at < _FRESH_MS
        self._acks.setdefault((envelope.node_id, fresh), []).append(envelope.id)
        self._acks_due.set()

    async def _send_acks(self) -> None:
        while True:
            await self._acks_due.wait()
            self._acks_due = anyio.Event()
            due, self._acks = self._acks, {}
            for (to, fresh), ids in due.items():
                for envelope in receipts(self._key, to, ids, self._clock.now_ms()):
                    # One that gets lost is asked for: the letter comes again.
                    await by_best(self._links, envelope, self._tasks, durable=not fresh)

    async def _sweep(self) -> None:
        while True:
            await anyio.sleep(_SWEEP_S)
            await self._in.write_counts()
            await self._in.sweep()
            now = self._clock.now_ms()
            await self._book.sweep(now - _WEEK_MS, now // 1000 - _MONTH_S)


def receipts(key: HotKey, to: str, ids: Sequence[str], now: int) -> list[Envelope]:
    """Envelopes that say: these have had their effect."""
    bodies = [
        msgspec.json.encode(Acks(tuple(ids[first : first + MOST_ACKS])))
        for first in range(0, len(ids), MOST_ACKS)
    ]
    return [seal(key, Letter(to, ACK, body, ttl_ms=ACK_TTL_MS), now, now) for body in bodies]
