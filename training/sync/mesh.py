"""Workers that meet nowhere: each keeps the rounds itself, and any minority of them may die.

Contributions and states travel as blobs between the workers' endpoints, news as messages. Which
contributions count, and whose state a run begins with, most of the roster decides; the roster is
trusted to follow that, not in what it contributes. Needs most of the roster at all times.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from hermes.errors import BlobRefused, SyncRefused, SyncUnreachable
from hermes.mesh.blob_client import BlobClient
from hermes.mesh.blob_seal import Reference
from hermes.mesh.blobs import Blobs
from training.sync.company import Company
from training.sync.council import Council
from training.sync.holding import Holding
from training.sync.mail import Mail
from training.sync.replica import Replica
from training.sync.transport import STATE, Look, check_name
from training.sync.words import (
    MOST_WORKERS,
    Entry,
    Here,
    Offer,
    Slot,
    Tell,
    Value,
    Word,
)

_DELTA, _HERE = "delta.", "here."
_ROUNDS = 10**8


class Place(NamedTuple):
    """What a worker brings to a run.

    Args:
        me: this worker's name.
        mail: messages to the others.
        blobs: this worker's own, which its endpoint serves.
        sources: the others' endpoints by worker; all of them are the roster.
        home: a directory for what must survive this process.
        limit: the most bytes of one contribution or state.
    """

    me: str
    mail: Mail
    blobs: Blobs
    sources: Mapping[str, BlobClient]
    home: Path
    limit: int


class Mesh:
    """A `Transport` without a hub; a context manager.

    On leaving without an error it stays for the others, until they are done or silent.
    """

    def __init__(
        self,
        place: Place,
        *,
        beat_s: float = 1.0,
        silence_s: float = 10.0,
        patience_s: float = 300.0,
    ) -> None:
        self._me, self._blobs = place.me, place.blobs
        others = tuple(sorted(place.sources))
        roster = (place.me, *others)
        if len(roster) > MOST_WORKERS:
            raise SyncRefused(f"a run over the mesh has at most {MOST_WORKERS} workers")
        self._limit, self._patience_s = place.limit, patience_s
        self._replica = Replica(place.home / "run.json", frozenset(roster))
        self._holding = Holding(place.blobs, place.sources, self._replica, self._came)
        self._council = Council(place.me, roster, self._replica, self)
        self._company = Company(
            place.mail, others, self._replica, self._hear, beat_s=beat_s, silence_s=silence_s
        )
        self._changed = anyio.Event()
        self._writing = anyio.Lock()
        self._tasks: TaskGroup

    async def __aenter__(self) -> Self:
        await anyio.to_thread.run_sync(self._replica.load)
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        for number, entry in self._replica.entries():
            await self._holding.look(number, entry, self._tasks)
        self._company.begin(self._tasks)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                await self._company.stay()
        finally:
            self._tasks.cancel_scope.cancel()
            await self._tasks.__aexit__(None, None, None)

    async def publish(self, round_number: int, name: str, data: bytes) -> bool:
        """Put bytes under a name of our own, or a state."""
        number = _checked(round_number)
        if len(data) > self._limit:
            raise SyncRefused(f"{name} has {len(data)} bytes, the limit is {self._limit}")
        if check_name(name) not in {_HERE + self._me, _DELTA + self._me, STATE}:
            raise SyncRefused(f"{self._me} cannot publish as {name[:60]!r}")
        if number < self._replica.floor:
            return False
        if not self._replica.is_due(number):
            raise SyncRefused(f"round {number} is not due: the one before is not settled")
        if name == STATE:
            return await self._publish_state(number, data)
        if Slot(number, "settled") in self._replica.decided:
            return False
        if name.startswith(_HERE):
            return await self._announce(Tell((Here(number, self._me),)))
        if self._me in self._replica.offers(number):
            return False
        entry = Entry(self._me, await self._keep(number, data))
        return await self._announce(Tell(offers=(Offer(number, entry),)))

    async def fetch(self, round_number: int, name: str, limit: int) -> bytes:
        """The bytes under a name, from here or from whoever has them."""
        number = _checked(round_number)
        if check_name(name).startswith(_HERE):
            return b""
        reference = self._replica.blob(number, name)
        if reference is None:
            raise SyncRefused(f"there is no {name} of round {number}")
        with anyio.move_on_after(self._patience_s):
            return await self._holding.read(reference, min(limit, self._limit))
        raise SyncUnreachable(f"nobody has {name} of round {number} to give")

    async def look(self, round_number: int, seen: Look | None = None, wait_s: float = 0) -> Look:
        """The round as it stands here, or once it differs from `seen`."""
        until = anyio.current_time() + wait_s
        while True:
            changed = self._changed
            now = self._replica.look(_checked(round_number), self._holding.held)
            left = until - anyio.current_time()
            if now != seen or left <= 0:
                return now
            with anyio.move_on_after(left):
                await changed.wait()

    async def settle(self, round_number: int, workers: tuple[str, ...]) -> tuple[str, ...]:
        """Propose who counts; what most of the roster accepted comes back."""
        number = _checked(round_number)
        slot = Slot(number, "settled")
        if number >= self._replica.floor and slot not in self._replica.decided:
            delivered = self._replica.look(number, self._holding.held).delivered
            missing = [name for name in workers if name not in delivered]
            if missing or not workers:
                raise SyncRefused(f"round {number} cannot be settled: nothing from {missing[:5]}")
            offers = self._replica.offers(number)
            value = tuple(Entry(name, offers[name]) for name in sorted(set(workers)))
            return tuple(entry.worker for entry in await self._decide(slot, value))
        return tuple(entry.worker for entry in self._replica.decided.get(slot, ()))

    async def states(self) -> tuple[int, ...]:
        """The rounds whose states are decided, as far as is known here."""
        return self._replica.states()

    # What the council asks of its member.

    async def say(self, word: Word, to: Sequence[str]) -> None:
        """Send to other workers."""
        self._company.say(word, to)

    async def learn(self, news: Tell) -> None:
        """Take in news: fetch what is wanted, forget what nobody needs, tell who waits."""
        for number, entry in self._replica.take(news):
            await self._holding.look(number, entry, self._tasks)
        if self._replica.forget():
            await self._holding.forget()
        if news.decisions:
            await self.keep()
            self._council.settled()
        self._tell_waiting()

    async def keep(self) -> None:
        """Bring the replica to the disk; later calls write later states."""
        async with self._writing:
            await _aside(self._replica.save, self._replica.packed())

    def holds(self, number: int, value: Value) -> bool:
        """Whether all of a value is here; what is not gets fetched."""
        here = [self._holding.want(number, entry, self._tasks) for entry in value]
        return all(here)

    async def _publish_state(self, number: int, data: bytes) -> bool:
        slot = Slot(number, "state")
        if slot in self._replica.decided:
            return False
        value = (Entry(self._me, await self._keep(number, data)),)
        return await self._decide(slot, value) == value

    async def _keep(self, number: int, data: bytes) -> Reference:
        try:
            reference = await self._blobs.keep(data)
        except BlobRefused as error:
            raise SyncUnreachable(error.message, error.remedy) from error
        self._holding.own(number, reference)
        return reference

    async def _announce(self, news: Tell) -> bool:
        await self.learn(news)
        if news.offers:
            await self.keep()  # before anybody hears of it: it must be the only one
        await self.say(news, self._company.others)
        return True

    async def _decide(self, slot: Slot, value: Value) -> Value:
        with anyio.move_on_after(self._patience_s):
            return await self._council.decide(slot, value)
        raise SyncUnreachable(
            f"round {slot.round} cannot be decided: most of the roster does not answer",
            "start more of its workers; each goes on where it was",
        )

    async def _came(self) -> None:
        await self._council.holds_more()
        self._tell_waiting()

    def _tell_waiting(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def _hear(self, sender: str, word: Word) -> None:
        if isinstance(word, Tell):
            await self.learn(word)
        else:
            await self._council.hear(sender, word)


def _checked(number: int) -> int:
    if not 0 <= number < _ROUNDS:
        raise SyncRefused(f"there is no round {number}")
    return number


async def _aside(call: Callable[[bytes], None], data: bytes) -> None:
    try:
        await anyio.to_thread.run_sync(call, data)
    except OSError as error:
        raise SyncUnreachable(f"{error.filename or 'a file'}: {error.strerror}") from error
