"""The sending half of the post office: the outbox, kept on disk, over the links that work.

Decides nothing: `outbox` says what is tried when and by which link.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import anyio

from hermes.core.clock import Clock
from hermes.mesh import outbox
from hermes.mesh.envelope import Envelope, write
from hermes.mesh.link import Link
from hermes.store.mesh import MeshBook, Outgoing

_WORKERS = 4
_LOOK_S = 1.0  # how often links are asked how they are, while something waits


class Outcome(NamedTuple):
    """What became of a letter."""

    id: str
    to: str
    arrived: bool
    reason: str = ""


class Departures:
    """Letters on their way out."""

    def __init__(self, book: MeshBook, links: Sequence[Link], clock: Clock) -> None:
        self._book = book
        self._links = {link.name: link for link in links}
        self._clock = clock
        self._state = outbox.Outbox()
        self._wake = anyio.Event()
        self._work, self._orders = anyio.create_memory_object_stream[outbox.Transmit](math.inf)
        self._ordered: set[str] = set()
        self._why: dict[str, str] = {}
        self._ending: set[str] = set()  # settled, and not yet on disk
        self._ended: dict[str, anyio.Event] = {}
        self.hold: Callable[[str, int], str] = lambda _letter, _tries: ""
        """Why a letter cannot go just now; "" where it can."""
        self.over: Callable[[str, bool], None] = lambda _letter, _arrived: None
        """Hears once a letter arrived, or never will."""

    async def restore(self) -> None:
        """Take up what was on its way when this node ended."""
        for row in await self._book.waiting():
            letter = outbox.Letter(row.id, row.recipient, row.expires, row.lane, row.size)
            await self.feed(outbox.Put(letter))

    async def put(self, envelope: Envelope, lane: str) -> None:
        """Send an envelope until it is acknowledged or expires; returns once it is on disk."""
        data = write(envelope)
        row = Outgoing(
            envelope.id,
            envelope.to,
            lane,
            envelope.payload_type,
            envelope.conversation_id,
            envelope.issued_at,
            envelope.expires_at,
            len(data),
        )
        await self._book.put(row, data)
        letter = outbox.Letter(row.id, row.recipient, row.expires, lane, len(data))
        await self.feed(outbox.Put(letter))

    async def acknowledged(self, ids: Iterable[str], sender: str) -> None:
        """A recipient has these."""
        for one in ids:
            await self.feed(outbox.Acknowledged(one, sender))

    async def withdraw(self, letter: str) -> None:
        """A letter is not to go there any more."""
        await self._book.undelivered([letter], "withdrawn")
        await self.feed(outbox.Withdraw(letter))
        self._end(letter)

    async def outcome(self, letter: str, to: str) -> Outcome:
        """Wait until it is known what became of a letter."""
        while letter in self._state.waiting or letter in self._ending:
            await self._ended.setdefault(letter, anyio.Event()).wait()
        state, reason = await self._book.fate(letter)
        return Outcome(letter, to, state == "delivered", reason)

    async def run(self) -> None:
        """Send until cancelled."""
        async with anyio.create_task_group() as tasks:
            for _ in range(_WORKERS):
                tasks.start_soon(self._transmit_all)
            while True:
                self._wake = anyio.Event()
                await self._look()
                with anyio.move_on_after(self._pause()):
                    await self._wake.wait()

    def close(self) -> None:
        """Nothing more is sent."""
        self._work.close()
        self._orders.close()

    async def feed(self, event: outbox.Event) -> None:
        """Let the outbox take an event, and do what it says."""
        self._state, actions = outbox.step(self._state, self._clock.now_ms(), event)
        arrived = [one.letter.id for one in actions if isinstance(one, outbox.Arrived)]
        late = [one for one in actions if isinstance(one, outbox.Undelivered)]
        self._ending.update(arrived, (one.letter.id for one in late))
        for action in actions:
            if isinstance(action, outbox.Transmit) and action.letter.id not in self._ordered:
                self._ordered.add(action.letter.id)
                self._work.send_nowait(action)
        await self._book.delivered(arrived)
        for one in late:
            why = self._why.get(one.letter.id, "")
            reason = f"{one.reason}: {why}" if why else one.reason
            await self._book.undelivered([one.letter.id], reason)
        for name in arrived:
            self._end(name, arrived=True)
        for one in late:
            self._end(one.letter.id)
        self._wake.set()

    async def _look(self) -> None:
        """Tell the outbox how the links are, and that time has passed."""
        found = {name: round(link.quality(), 1) for name, link in self._links.items()}
        working = {name: quality for name, quality in found.items() if quality > 0}
        if working != self._state.links:
            await self.feed(outbox.Links(working))
        due = outbox.due(self._state)
        if due is not None and due <= self._clock.now_ms():
            await self.feed(outbox.Tick())

    def _end(self, letter: str, *, arrived: bool = False) -> None:
        self.over(letter, arrived)
        self._ending.discard(letter)
        self._why.pop(letter, None)
        if letter in self._ended:
            self._ended.pop(letter).set()

    def _pause(self) -> float:
        if not self._state.waiting:
            return math.inf
        due = outbox.due(self._state)
        wait = math.inf if due is None else (due - self._clock.now_ms()) / 1000
        return max(0.01, min(_LOOK_S, wait))

    async def _transmit_all(self) -> None:
        while True:
            order = await self._orders.receive()
            failed = False
            try:
                failed = await self._transmit(order)
            finally:
                self._ordered.discard(order.letter.id)
            if failed:  # only now: what is still ordered is not ordered again
                await self.feed(outbox.Failed(order.letter.id))

    async def _transmit(self, order: outbox.Transmit) -> bool:
        """Try once; whether the next link is to be tried at once."""
        letter = order.letter
        if why := self.hold(letter.id, order.tries):
            self._why[letter.id] = why
            return False
        data = await self._book.sealed(letter.id)
        if data is None:
            return False
        delivery = await self._links[order.link].send(
            letter.to, data, expires_at=letter.expires_at, durable=True
        )
        if delivery.taken:
            self._why[letter.id] = "no acknowledgement came"
            return False
        self._why[letter.id] = f"{order.link}: {delivery.reason}"
        # Once round all links at once; then with pauses, or dead links would be asked in a loop.
        return order.tries + 1 < len(self._state.links)
