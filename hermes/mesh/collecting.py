"""Large letters on their way in: their chunks fetched or found here, then handed over whole.

A note is on disk before anything is fetched, and what was fetched stays: a line that breaks, or a
node that is killed, costs what was on its way. Bounds what is fetched at once and held in memory.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import anyio
import msgspec
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream

from hermes.core.clock import Clock
from hermes.errors import BlobRefused, BlobUnreachable, HermesError
from hermes.mesh.arrivals import Admits, Arrival
from hermes.mesh.blobs import Blobs
from hermes.mesh.consignment import (
    MOST_LETTER,
    Consignment,
    Endpoints,
    Unpacked,
    read_consignment,
    unpacked,
)
from hermes.mesh.envelope import Envelope
from hermes.mesh.shipping import Call

_AT_ONCE = 4
_MOST_HELD = 2 * MOST_LETTER
_TRY_S = 300.0
_FIRST_S, _LONGEST_S = 0.5, 60.0
_HOPELESS = frozenset({"malformed", "forged", "cut off", "too large", "unknown version"})


class _Job(msgspec.Struct):
    """A note whose chunks are wanted; `due` by the task clock."""

    envelope: Envelope
    consignment: Consignment
    link: str
    again: bool
    due: float = 0.0
    tries: int = 0


class Hands(NamedTuple):
    """What the post office does for it.

    `hand`: gives an arrival to its reader, False: nobody reads it; `refuse` counts a reason.
    """

    hand: Callable[[Arrival], Awaitable[bool]]
    refuse: Callable[[str, str], Awaitable[None]]
    admits: Admits


class Collecting:
    """The receiving half.

    Args:
        blobs: where chunks are kept; nobody else may keep any there.
        endpoints: who serves chunks.
        call: opens a line.
        clock: the time.
        room: how many bytes our own chunks may take.
    """

    def __init__(
        self, blobs: Blobs, endpoints: Endpoints, call: Call, clock: Clock, room: int
    ) -> None:
        self._blobs = blobs
        self._endpoints = endpoints
        self._call = call
        self._clock = clock
        self._room = room
        self._jobs: dict[str, _Job] = {}
        self._busy: set[str] = set()
        self._held: dict[str, int] = {}
        self._wake = anyio.Event()
        self.hands: Hands
        self.tasks: TaskGroup

    async def listen(self, notes: MemoryObjectReceiveStream[Arrival]) -> None:
        """Take notes until cancelled."""
        async with notes:
            async for arrival in notes:
                await self._take(arrival)

    async def run(self) -> None:
        """Fetch until cancelled."""
        while True:
            self._wake = anyio.Event()
            now = anyio.current_time()
            idle = [one for one in self._jobs.values() if one.envelope.id not in self._busy]
            for job in sorted(idle, key=lambda one: one.due)[: _AT_ONCE - len(self._busy)]:
                if job.due <= now:
                    self._busy.add(job.envelope.id)
                    self.tasks.start_soon(self._try, job)
            due = min((one.due for one in idle), default=now + _LONGEST_S)
            full = len(self._busy) >= _AT_ONCE
            with anyio.move_on_after(_LONGEST_S if full else max(0.01, due - now)):
                await self._wake.wait()

    def stir(self, node: str = "", name: str = "") -> None:
        """There is news of a node or of a note: what waits for it is tried soon."""
        for job in self._jobs.values():
            if job.envelope.node_id == node or job.envelope.id == name:
                job.due = min(job.due, anyio.current_time() + _FIRST_S)
        self._wake.set()

    def settled(self, envelope: Envelope) -> None:
        """Its effect is durable: its chunks are needed no more."""
        if isinstance(envelope, Unpacked) and envelope.consignment is not None:
            self._held.pop(envelope.name, None)
            self._wake.set()
            self.tasks.start_soon(self._forget, envelope.consignment, envelope.node_id)

    async def _take(self, arrival: Arrival) -> None:
        envelope = arrival.envelope
        try:
            consignment = read_consignment(envelope.data)
            if not arrival.durable:
                raise BlobRefused("malformed", "a large letter is durable")  # noqa: TRY301 - one way out
            if not self.hands.admits(envelope.node_id, consignment.payload_type):
                raise BlobRefused("not admitted")  # noqa: TRY301
        except BlobRefused as error:
            await self.hands.refuse(error.reason, envelope.node_id)
            return
        self._jobs[envelope.id] = _Job(envelope, consignment, arrival.link, arrival.again)
        self._wake.set()

    async def _try(self, job: _Job) -> None:
        name = job.envelope.id
        try:
            if self._clock.now_ms() >= job.envelope.expires_at:
                await self._give_up(job, "stale")
            elif not self._has_memory(job):
                self._later(job)
            else:
                self._held[name] = job.consignment.reference.size
                await self._collect(job)
        finally:
            self._busy.discard(name)
            if name in self._jobs:
                self._held.pop(name, None)
            self._wake.set()

    async def _collect(self, job: _Job) -> None:
        try:
            with anyio.fail_after(_TRY_S):
                data = await self._fetched(job)
        except BlobRefused as error:
            if error.reason in _HOPELESS:
                await self._give_up(job, error.reason)
            else:
                self._later(job)
            return
        except (HermesError, TimeoutError):
            self._later(job)
            return
        whole = unpacked(job.envelope, job.consignment, data)
        if await self.hands.hand(Arrival(whole, job.link, durable=True, again=job.again)):
            del self._jobs[job.envelope.id]
        else:
            self._later(job)

    async def _fetched(self, job: _Job) -> bytes:
        reference = job.consignment.reference
        if await self._is_here(job):
            return await self._blobs.read(reference, (), MOST_LETTER)
        if self._blobs.used + reference.size > self._room:
            raise BlobRefused("over quota")
        url = self._endpoints.where(job.envelope.node_id)
        if not url:
            raise BlobUnreachable("its sender has no blob endpoint")
        async with self._call(url) as client:
            return await self._blobs.read(reference, (client,), MOST_LETTER)

    async def _is_here(self, job: _Job) -> bool:
        try:
            return await self._blobs.holds(job.consignment.reference)
        except BlobRefused:  # the disk altered it: as good as not here
            return False

    def _has_memory(self, job: _Job) -> bool:
        held = sum(self._held.values())
        return not held or held + job.consignment.reference.size <= _MOST_HELD

    def _later(self, job: _Job) -> None:
        job.due = anyio.current_time() + min(_FIRST_S * (1 << min(job.tries, 16)), _LONGEST_S)
        job.tries += 1

    async def _give_up(self, job: _Job, reason: str) -> None:
        """It comes to nothing: its sender is not told that it arrived."""
        del self._jobs[job.envelope.id]
        await self.hands.refuse(reason, job.envelope.node_id)
        await self._forget(job.consignment, job.envelope.node_id)

    async def _forget(self, consignment: Consignment, sender: str) -> None:
        try:
            await self._blobs.forget(consignment.reference, sender)
        except HermesError:
            await anyio.lowlevel.checkpoint()  # the next start looks again
