"""What one worker of a mesh run knows, and what of it must survive its end.

Everything but votes only grows, in any order, so that news may come twice or late. The file is
replaced whole and synced before a vote is answered. A worker that lost it needs another name.
"""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec

from hermes.errors import SyncRefused
from hermes.mesh.blob_seal import Reference
from training.sync.transport import STATE, Look
from training.sync.votes import Vote
from training.sync.words import Ask, Decision, Entry, Here, Offer, Slot, Tell, Value, tells

_STATES_KEPT = 3
_AHEAD = 4
"""How many rounds after the last settled one news are taken of."""
_LARGEST = 64 << 20


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    v: int
    floor: int
    offers: list[Offer]
    decisions: list[Decision]
    votes: list[tuple[Slot, Vote]]


class Replica:
    """A worker's knowledge; no I/O but `load` and `save`, which block."""

    def __init__(self, path: Path, roster: frozenset[str]) -> None:
        self._path, self._roster = path, roster
        self.floor = 0
        self.decided: dict[Slot, Value] = {}
        self.votes: dict[Slot, Vote] = {}
        self._here: dict[int, set[str]] = {}
        self._offers: dict[int, dict[str, Reference]] = {}

    def load(self) -> None:
        """Read what was kept; SyncRefused where it cannot be read."""
        try:
            data = self._path.read_bytes() if self._path.exists() else b""
            if not data:
                return
            kept = msgspec.json.decode(data[:_LARGEST], type=_Kept)
        except (OSError, msgspec.DecodeError, RecursionError) as error:
            raise SyncRefused(
                f"{self._path} cannot be read: {error}", "take part under another name and --out"
            ) from error
        self.floor, self.votes = kept.floor, dict(kept.votes)
        for offer in kept.offers:
            self._offers.setdefault(offer.round, {})[offer.entry.worker] = offer.entry.blob
        self.decided = {one.slot: one.value for one in kept.decisions}

    def packed(self) -> bytes:
        """What must survive, as of now."""
        decisions = [Decision(slot, value) for slot, value in self.decided.items()]
        votes = list(self.votes.items())
        return msgspec.json.encode(_Kept(1, self.floor, list(self._all_offers()), decisions, votes))

    def save(self, packed: bytes) -> None:
        """Keep it, durably."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        aside = self._path.with_name(f".{uuid.uuid4().hex}")
        try:
            with aside.open("xb") as file:
                file.write(packed)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(self._path)
            _sync(self._path.parent)
        finally:
            aside.unlink(missing_ok=True)

    def look(self, number: int, held: frozenset[str]) -> Look:
        """The round as it stands; who delivered is who is held. A forgotten one: nobody counts."""
        if number < self.floor:
            return Look(settled=())
        value = self.decided.get(Slot(number, "settled"))
        return Look(
            tuple(sorted(self._here.get(number, ()))),
            tuple(sorted(n for n, one in self.offers(number).items() if one.root in held)),
            None if value is None else tuple(entry.worker for entry in value),
        )

    def offers(self, number: int) -> dict[str, Reference]:
        """Who delivered in a round, and what."""
        return self._offers.get(number, {})

    def blob(self, number: int, name: str) -> Reference | None:
        """What lies under `state` or `delta.WORKER`: as decided, else as offered."""
        if name == STATE:
            state = self.decided.get(Slot(number, "state"), ())
            return next((one.blob for one in state), None)
        worker = name.partition(".")[2]
        settled = self.decided.get(Slot(number, "settled"), ())
        counted = next((one.blob for one in settled if one.worker == worker), None)
        return counted or self.offers(number).get(worker)

    def states(self) -> tuple[int, ...]:
        """The rounds whose states are decided, in order."""
        return tuple(sorted(slot.round for slot in self.decided if slot.kind == "state"))

    def settled_before(self) -> int:
        """The first round from the floor on that is not settled."""
        number = self.floor
        while Slot(number, "settled") in self.decided:
            number += 1
        return number

    def is_due(self, number: int) -> bool:
        """Whether there can be news of a round."""
        newest = max((slot.round for slot in self.decided), default=self.floor)
        return self.floor <= number <= newest + _AHEAD

    def take(self, news: Tell) -> list[tuple[int, Entry]]:
        """Learn; returns what was not known, by round: those blobs are wanted. Never fails.

        News of workers outside the roster, or of rounds far ahead, are left.
        """
        wanted: list[tuple[int, Entry]] = []
        for decision in sorted(news.decisions, key=lambda one: one.slot):
            wanted += self._decide(decision.slot, decision.value)
        for here in news.here:
            if here.worker in self._roster and self.is_due(here.round):
                self._here.setdefault(here.round, set()).add(here.worker)
        for offer in news.offers:
            worker, due = offer.entry.worker, self.is_due(offer.round)
            if worker in self._roster and due and worker not in self.offers(offer.round):
                self._offers.setdefault(offer.round, {})[worker] = offer.entry.blob
                wanted.append((offer.round, offer.entry))
        return wanted

    def forget(self) -> bool:
        """Give up rounds before the oldest state that is kept; whether there were any."""
        states = self.states()
        if len(states) <= _STATES_KEPT:
            return False
        self.floor = states[-_STATES_KEPT]
        for number in [one for one in self._here if one < self.floor]:
            del self._here[number]
        for number in [one for one in self._offers if one < self.floor]:
            del self._offers[number]
        self.decided = {s: value for s, value in self.decided.items() if s.round >= self.floor}
        self.votes = {s: vote for s, vote in self.votes.items() if s.round >= self.floor}
        return True

    def entries(self) -> Iterator[tuple[int, Entry]]:
        """All that is offered or decided, with its round."""
        for slot, value in self.decided.items():
            yield from ((slot.round, entry) for entry in value)
        for offer in self._all_offers():
            yield offer.round, offer.entry

    def ask(self, *, done: bool = False) -> Ask:
        """What to ask the others."""
        since = self.settled_before()
        here = tuple(sorted(self._here.get(since, ())))
        return Ask(
            since, here, tuple(sorted(self.offers(since))), self.states()[-_STATES_KEPT:], done
        )

    def answer(self, asked: Ask) -> Iterator[Tell]:
        """What is new to whoever asks so."""
        since = max(asked.since, self.floor)
        told_here = {Here(since, name) for name in asked.here}
        told = {(since, name) for name in asked.offered}
        here = {Here(n, name) for n, names in self._here.items() for name in names if n >= since}
        offers = [
            offer
            for offer in self._all_offers()
            if offer.round >= since and (offer.round, offer.entry.worker) not in told
        ]
        decisions = [
            Decision(slot, value)
            for slot, value in sorted(self.decided.items())
            if (slot.kind == "state" and slot.round not in asked.states)
            or (slot.kind == "settled" and slot.round >= since)
        ]
        return tells(here - told_here, offers, decisions)

    def _decide(self, slot: Slot, value: Value) -> list[tuple[int, Entry]]:
        if slot.round < self.floor or slot in self.decided:
            return []
        self.decided[slot] = value
        return [(slot.round, entry) for entry in value]

    def _all_offers(self) -> Iterator[Offer]:
        for number, offers in self._offers.items():
            for worker, blob in offers.items():
                yield Offer(number, Entry(worker, blob))


def _sync(directory: Path) -> None:
    """Bring a new name to the disk: without it, power that fails brings the old votes back."""
    number = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
