"""LocalRelay's database on ours: an event is on disk, in a group with others, before its OK.

Wraps come only to filters that name their kind: those the gate has asked who is asking. What
has no limit is answered with names, for only a reconciliation asks so: thus it cannot fill the
memory. Not for use as a Client's database.
"""

import time
from collections.abc import Iterable, Sequence

import msgspec
from nostr_sdk import (
    DatabaseEventStatus,
    Event,
    EventId,
    Filter,
    NostrDatabase,
    NostrDatabaseFeatures,
    NostrSdkError,
    RejectedReason,
    SaveEventStatus,
)

from hermes.core.clock import Clock
from hermes.errors import StoreError
from hermes.store.relay_events import Name, RelayEvents, Status
from hermes.store.relay_filter import Wanted
from relay.about import MOST_FOUND
from relay.counters import Counters
from relay.filters import FilterInvalid, read_filter
from relay.note import Note, erasure, kept, read_note
from relay.sieve import Sieve

MOST_NAMES = 50_000
_STATUS = {
    "kept": DatabaseEventStatus.SAVED,
    "erased": DatabaseEventStatus.DELETED,
    "absent": DatabaseEventStatus.NOT_EXISTENT,
}
_REJECTED = {"erased": RejectedReason.DELETED, "absent": RejectedReason.REPLACED}
_COUNTED = {"kept": "stored", "erased": "taken back", "absent": "replaced"}
_NO_SIGNATURE = "00" * 64


class SqliteEvents(NostrDatabase):  # type: ignore[misc] # nostr_sdk has no types
    """The relay's events, as LocalRelay wants them.

    Only NostrSdkError may leave these methods: it becomes an answer to the client.
    """

    def __init__(self, events: RelayEvents, counters: Counters, clock: Clock, sieve: Sieve) -> None:
        self._events = events
        self._counters = counters
        self._clock = clock
        self._sieve = sieve

    def backend(self) -> str:
        """Its name."""
        return "sqlite"

    def features(self) -> NostrDatabaseFeatures:
        """What it can do beyond keeping."""
        return NostrDatabaseFeatures(
            persistent=True, event_expiration=True, full_text_search=False, request_to_vanish=False
        )

    async def keep_each(self, events: Sequence[tuple[Note, str]]) -> list[Status | StoreError]:
        """Store verified events; returns once they are on disk, or why one is not."""
        rows = [(kept(note, data), erasure(note)) for note, data in events]
        for row, erased in rows:
            for id_ in (row.id, *(erased.ids if erased else ())):
                self._sieve.add(id_)
        began = time.perf_counter()
        try:
            became = await self._events.keep_each(rows)
        except StoreError as error:
            became = [error] * len(rows)
        self._counters.committed(time.perf_counter() - began)
        for one in became:
            word = type(one).__name__ if isinstance(one, StoreError) else _COUNTED[one]
            self._counters.events[word] += 1
        return became

    async def status(self, id_: str) -> Status:
        """Whether an event is here, or was taken back. Raises StoreError."""
        name = bytes.fromhex(id_)
        return await self._events.status(name) if self._sieve.may_hold(name) else "absent"

    async def save_event(self, event: Event) -> SaveEventStatus:
        """Store a verified event; returns once it is on disk."""
        data = event.as_json()
        (status,) = await self.keep_each([(read_note(data), data)])
        if isinstance(status, StoreError):
            raise NostrSdkError.Generic(status.message) from status
        if status == "kept":
            return SaveEventStatus.success()
        return SaveEventStatus.rejected(_REJECTED[status])

    async def check_id(self, event_id: EventId) -> DatabaseEventStatus:
        """Whether an event is here, or was taken back."""
        try:
            return _STATUS[await self.status(event_id.to_hex())]
        except StoreError as error:
            raise NostrSdkError.Generic(error.message) from error

    async def event_by_id(self, event_id: EventId) -> Event | None:
        """One event."""
        found = await self.query(Filter().id(event_id).limit(1))
        return found[0] if found else None

    async def count(self, filter: Filter) -> int:  # noqa: A002 - nostr_sdk's name
        """How many events a filter wants."""
        wanted, _ = self._wanted(filter)
        try:
            return await self._events.count(wanted, self._now())
        except StoreError as error:
            raise NostrSdkError.Generic(error.message) from error

    async def query(self, filter: Filter) -> list[Event]:  # noqa: A002 - nostr_sdk's name
        """The events a filter wants; names alone where it sets no limit that we grant."""
        wanted, limit = self._wanted(filter)
        try:
            if limit is None or limit > MOST_FOUND:
                most = MOST_NAMES if limit is None else min(limit, MOST_NAMES)
                return _named(await self._events.names(wanted, self._now(), most))
            found = await self._events.find(wanted, self._now(), limit)
        except StoreError as error:
            self._counters.queries["too much"] += 1
            raise NostrSdkError.Generic(error.message) from error
        return [Event.from_json(data) for data in found]

    async def delete_events(self, filter: Filter) -> None:  # noqa: A002 - nostr_sdk's name
        """Throw events away."""
        await self._events.drop(self._wanted(filter)[0])

    async def wipe(self) -> None:
        """Throw all events away."""
        await self._events.drop(Wanted())

    def _wanted(self, asked: Filter) -> tuple[Wanted, int | None]:
        try:
            return read_filter(asked.as_json())
        except FilterInvalid as error:
            self._counters.queries["malformed"] += 1
            raise NostrSdkError.Generic(str(error)) from error

    def _now(self) -> int:
        return self._clock.now_ms() // 1000


def _named(names: Iterable[Name]) -> list[Event]:
    encode = msgspec.json.encode
    return [
        Event.from_json(
            encode(
                {
                    "id": name.id.hex(),
                    "pubkey": name.pubkey.hex(),
                    "created_at": name.created_at,
                    "kind": name.kind,
                    "tags": (),
                    "content": "",
                    "sig": _NO_SIGNATURE,
                }
            ).decode()
        )
        for name in names
    ]
