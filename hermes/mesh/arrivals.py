"""The receiving half of the post office: opened, noted on disk, handed to who wants it, once.

Decides nothing: `envelope` says what is let in and `inbox` what is new. An effect and its note
happen together only where the reader commits `MeshBook.finishing` with it.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from hermes.core.clock import Clock
from hermes.errors import EnvelopeRefused
from hermes.mesh import inbox
from hermes.mesh.clocks import Clocks
from hermes.mesh.envelope import Envelope, open_envelope, read
from hermes.mesh.link import Received
from hermes.store.mesh import MeshBook

Admits = Callable[[str, str], bool]
"""Whether a sender (x-only key, hex) may send payloads of a type."""
_ROOM = 256
_LIVE = 10_000
_COUNTED = 200
_TIMED = ("early", "stale")  # a member's, and signed


class Arrival(NamedTuple):
    """An envelope that was let in.

    `again`: it came before there was a reader, or this node ended before its effect was durable:
    look whether the effect happened. `durable`: `Post.settle` is waited for.
    """

    envelope: Envelope
    link: str
    durable: bool
    again: bool = False


class Arrivals:
    """What came in."""

    def __init__(self, me: str, book: MeshBook, clock: Clock, admits: Admits) -> None:
        self._me = me
        self._book = book
        self._clock = clock
        self._admits = admits
        self._state = inbox.Inbox()
        self._readers: dict[str, MemoryObjectSendStream[Arrival]] = {}
        self._streams: list[
            MemoryObjectSendStream[Arrival] | MemoryObjectReceiveStream[Arrival]
        ] = []
        self._interrupted: dict[str, list[Envelope]] = {}
        self._live: dict[str, None] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        self.clocks = Clocks()
        self.acknowledge: Callable[[Envelope], Awaitable[None]]

    async def restore(self) -> None:
        """Take up what was noted; what was not finished is handed over again, marked so."""
        rows = await self._book.came()
        self._state, _ = inbox.restored(
            tuple(inbox.Seen(one.id, one.sender, one.expires, one.finished) for one in rows)
        )
        for one in rows:
            if one.data is not None:
                envelope = read(one.data)
                self._interrupted.setdefault(envelope.payload_type, []).append(envelope)

    def claim(self, types: tuple[str, ...]) -> MemoryObjectReceiveStream[Arrival]:
        """Take all payloads of these types; raises ValueError where somebody else does."""
        if taken := self._readers.keys() & set(types):
            raise ValueError(f"{', '.join(sorted(taken))}: somebody else reads these")
        waiting = [one for kind in types for one in self._interrupted.pop(kind, ())]
        send, receive = anyio.create_memory_object_stream[Arrival](_ROOM + len(waiting))
        for kind in types:
            self._readers[kind] = send
        self._streams += (send, receive)
        for envelope in waiting:
            send.send_nowait(Arrival(envelope, "", durable=True, again=True))
        return receive

    async def take(self, received: Received) -> Envelope | None:
        """Judge what a link brought; gives it when it was let in, new or not."""
        now = self._clock.now_ms()
        try:
            envelope = open_envelope(received.data, self._me, now, self._admits)
            if received.sender_hint not in {"", envelope.node_id}:
                raise EnvelopeRefused("forged", "sent by another than its signer")  # noqa: TRY301
        except EnvelopeRefused as error:
            if error.reason in _TIMED:
                self._heard(read(received.data), received, now)
            await self.refuse(error.reason, error.sender)
            return None
        self._heard(envelope, received, now)
        return envelope

    def _heard(self, envelope: Envelope, received: Received, now: int) -> None:
        live = not received.durable
        self.clocks.heard(envelope.node_id, envelope.issued_at, now, live=live)

    async def deliver(self, envelope: Envelope, received: Received) -> bool:
        """Hand it to its reader; False when nobody reads this type, so that it may come again."""
        reader = self._readers.get(envelope.payload_type)
        if reader is None and not (received.keep and received.durable):
            await self.refuse("unclaimed", envelope.node_id)
            return False
        if received.durable or reader is None:
            await self._note(envelope, received, reader)
        elif self._first(envelope.id):
            await _hand(reader, Arrival(envelope, received.link, durable=False))
        else:
            await self.refuse("replayed", envelope.node_id)
        return True

    async def _note(
        self,
        envelope: Envelope,
        received: Received,
        reader: MemoryObjectSendStream[Arrival] | None,
    ) -> None:
        came = inbox.Arrived(envelope.id, envelope.node_id, envelope.expires_at)
        actions = self._step(came)
        if not any(isinstance(action, inbox.Effect | inbox.Refuse) for action in actions):
            await self.refuse("replayed", envelope.node_id)
        for action in actions:
            match action:
                case inbox.Note(seen):
                    await self._book.note(seen.id, seen.sender, seen.expires_at, received.data)
                case inbox.Effect() if reader is None:
                    self._interrupted.setdefault(envelope.payload_type, []).append(envelope)
                case inbox.Effect():
                    await _hand(reader, Arrival(envelope, received.link, durable=True))
                case inbox.Acknowledge():
                    await self.acknowledge(envelope)
                case inbox.Refuse(_, sender, reason):
                    await self.refuse(reason, sender)
                case inbox.Interrupted() | inbox.Forget():
                    continue

    async def forward(self, arrival: Arrival) -> bool:
        """Hand over what was noted under another type; False when nobody reads its own."""
        reader = self._readers.get(arrival.envelope.payload_type)
        return reader is not None and await _hand(reader, arrival)

    async def finish(self, envelope: Envelope, *, noted: bool) -> None:
        """Its effect is durable: never again, and its sender is told.

        `noted`: `MeshBook.finishing` was committed with the effect.
        """
        actions = self._step(inbox.Finished(envelope.id))
        if actions and not noted:
            await self._book.finish(envelope.id)
        if actions:
            await self.acknowledge(envelope)

    async def sweep(self) -> None:
        """Forget what can never be valid again."""
        for action in self._step(inbox.Tick()):
            if isinstance(action, inbox.Forget):
                await self._book.forget(action.ids)

    async def refuse(self, reason: str, sender: str) -> None:
        """Count a refusal; strangers under one name, or a flood of them would fill the table."""
        known = sender if self._admits(sender, "") else ""
        self._counts[reason, known] += 1
        if self._counts.total() >= _COUNTED:
            await self.write_counts()

    async def write_counts(self) -> None:
        """Put the counters on disk."""
        counts, self._counts = self._counts, Counter()
        if counts:
            await self._book.count_refused(counts)

    def close(self) -> None:
        """Tell the readers that nothing more comes."""
        for stream in self._streams:
            stream.close()

    def _step(self, event: inbox.Event) -> tuple[inbox.Action, ...]:
        self._state, actions = inbox.step(self._state, self._clock.now_ms(), event)
        return actions

    def _first(self, name: str) -> bool:
        if name in self._live:
            return False
        self._live[name] = None
        if len(self._live) > _LIVE:
            del self._live[next(iter(self._live))]
        return True


async def _hand(reader: MemoryObjectSendStream[Arrival] | None, arrival: Arrival) -> bool:
    try:
        if reader is not None:
            await reader.send(arrival)
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        return False  # its reader went: what is durable comes again at the next start
    return True
