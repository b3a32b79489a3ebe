"""Takes events at the door: judged, verified, on disk in a group with others, then handed on.

LocalRelay takes one event at a time from a connection and asks three times over its threads'
border for each; here those that wait on one connection are one task's work, and are committed
together with other connections' too. Handing on to subscribers is LocalRelay's part again.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import anyio.lowlevel
import msgspec
from nostr_sdk import Event, NostrSdkError

from hermes.core.clock import Clock
from hermes.errors import StoreError
from hermes.store.relay_events import Status
from relay.callers import Caller
from relay.counters import Counters
from relay.database import SqliteEvents
from relay.interest import Interest
from relay.meters import Policy
from relay.note import Note, expires, read_note
from relay.policy import Seen, Verdict

_WITHOUT_PAUSE = 16  # events that one connection has verified in a row: some 2 ms
_DUPLICATE = "duplicate: already have this event"
_SAYS = {
    "kept": "",
    "erased": "blocked: this event was deleted",
    "absent": "blocked: something newer, or its deletion, is here",
}


class Answer(msgspec.Struct, frozen=True, array_like=True, tag="OK"):
    """NIP-01's OK."""

    id: str
    took: bool
    says: str = ""


class _Fit(NamedTuple):
    """An event that may come in; `data` is its JSON as we keep it."""

    note: Note
    event: Event
    data: str


class Intake:
    """Takes events for a database; `hand_on` reaches the subscribers, of whom `interest` knows."""

    def __init__(
        self,
        database: SqliteEvents,
        policy: Policy,
        counters: Counters,
        clock: Clock,
        hand_on: Callable[[Event], None],
        interest: Interest,
    ) -> None:
        self._database = database
        self._policy = policy
        self._counters = counters
        self._clock = clock
        self._hand_on = hand_on
        self._interest = interest

    async def take(self, said: Sequence[bytes], caller: Caller) -> list[Answer | None]:
        """Take some `["EVENT", {...}]`; answers once they are on disk. None: that is no event."""
        answers: list[Answer | None] = []
        fits: dict[int, _Fit] = {}
        for place, data in enumerate(said):
            if place % _WITHOUT_PAUSE == _WITHOUT_PAUSE - 1:
                await anyio.lowlevel.checkpoint()  # the other connections' turn
            found = await self._judged(data, caller)
            if isinstance(found, _Fit):
                fits[place] = found
            answers.append(None if isinstance(found, _Fit) else found)
        if fits:
            kept = await self._database.keep_each([(fit.note, fit.data) for fit in fits.values()])
            for place, fit, became in zip(fits, fits.values(), kept, strict=True):
                answers[place] = self._became(fit, became)
        return answers

    async def _judged(self, data: bytes, caller: Caller) -> Answer | _Fit | None:
        try:
            raw = bytes(msgspec.json.decode(data, type=tuple[str, msgspec.Raw])[1])
            note = read_note(raw)
        except (ValueError, RecursionError):
            self._counters.events["malformed"] += 1
            return None
        now = self._clock.now_ms()
        seen = Seen(note, len(raw), caller.address, caller.vouched(self._policy.rules.served))
        verdict = self._policy.judge(seen, now)
        if not verdict.accepted:
            return self._refused(note, verdict)
        event = _verified(raw)
        if event is None:
            return self._refused(note, Verdict("malformed", "invalid: its id or signature is off"))
        if (unfit := _unfit(note, caller, now // 1000)) is not None:
            return self._refused(note, unfit)
        if (known := await self._known(note)) is not None:
            return known
        charged = self._policy.charge(verdict, self._clock.now_ms())
        return self._paid(note, event) if charged.accepted else self._refused(note, charged)

    async def _known(self, note: Note) -> Answer | None:
        try:
            status = await self._database.status(note.id)
        except StoreError:
            return Answer(note.id, took=False, says="error: database error")
        if status == "absent":
            return None
        self._counters.events["duplicate" if status == "kept" else "taken back"] += 1
        return Answer(note.id, status == "kept", _DUPLICATE if status == "kept" else _SAYS[status])

    def _paid(self, note: Note, event: Event) -> Answer | _Fit:
        if not note.ephemeral:
            return _Fit(note, event, note.json)
        self._counters.events["live"] += 1
        if self._interest.has(note.kind):
            self._hand_on(event)
        return Answer(note.id, took=True)

    def _became(self, fit: _Fit, status: Status | StoreError) -> Answer:
        if isinstance(status, StoreError):
            return Answer(fit.note.id, took=False, says="error: database error")
        if status == "kept" and self._interest.has(fit.note.kind):
            self._hand_on(fit.event)
        return Answer(fit.note.id, status == "kept", _SAYS[status])

    def _refused(self, note: Note, verdict: Verdict) -> Answer:
        self._counters.events[verdict.reason] += 1
        return Answer(note.id, took=False, says=verdict.says)


def _unfit(note: Note, caller: Caller, now: int) -> Verdict | None:
    if note.protected and note.pubkey not in caller.keys:
        return Verdict("not admitted", "auth-required: only its author may hand this in")
    if (due := expires(note)) is not None and due <= now:
        return Verdict("stale", "invalid: this event has expired")
    return None


def _verified(raw: bytes) -> Event | None:
    try:
        event = Event.from_json(raw.decode())
        return event if event.verify() else None
    except (NostrSdkError, UnicodeDecodeError):
        return None
