"""The relay: opens database, LocalRelay and front door in order, closes them in order."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec
from anyio.abc import Listener, SocketAttribute, SocketStream
from nostr_sdk import NostrDatabase, NostrLmdb

from hermes.core.accepting import accept_all
from hermes.core.clock import Clock, SystemClock
from hermes.errors import NotAvailable, StoreError
from hermes.mesh.nostr_loop import loop_lent, quicken
from hermes.store.relay_events import RelayEvents, relay_database
from relay.about import document_answer, wants_document
from relay.callers import Callers
from relay.counters import Counters
from relay.database import SqliteEvents
from relay.front import Front
from relay.head import Head, answer, dated
from relay.intake import Intake
from relay.interest import Interest
from relay.line import Line
from relay.local import local_relay
from relay.login import place_of
from relay.meters import Policy
from relay.rules import Rules
from relay.sieve import Sieve

_PURGE_S = 60.0
DATABASE = "relay.db"


class Place(msgspec.Struct, frozen=True):
    """Where a relay lives and what it may use.

    Attributes:
        directory: of its database; one relay at a time.
        host, port: where it listens; port 0: any that is free.
        advertise: its address as others dial it; they sign it when they prove who they are.
        wrap_mib: disk for strangers' post, the oldest goes first.
        max_pages: bounds the database file; 0: nothing does.
        lmdb: nostr-sdk's own database instead of ours, one commit an event.
    """

    directory: Path
    host: str = "127.0.0.1"
    port: int = 0
    advertise: str = ""
    wrap_mib: int = 1_024
    max_pages: int = 0
    lmdb: bool = False


class Relay:
    """A running relay; made by `open_relay`."""

    def __init__(self, policy: Policy, counters: Counters, url: str) -> None:
        self.counters = counters
        self.url = url
        self._policy = policy

    @property
    def rules(self) -> Rules:
        """Who may write what."""
        return self._policy.rules

    def obey(self, rules: Rules) -> None:
        """Go by other rules from now on, say after somebody was admitted or revoked."""
        self._policy.rules = rules


class _Answers:
    """What plain HTTP gets."""

    def __init__(
        self, policy: Policy, counters: Counters, events: RelayEvents | None, clock: Clock
    ) -> None:
        self._policy = policy
        self._counters = counters
        self._events = events
        self._clock = clock

    async def __call__(self, head: Head, near: bool) -> bytes:  # noqa: FBT001 - a callback's form
        return dated(await self._answer(head, near=near), self._clock.now_ms() // 1000)

    async def _answer(self, head: Head, *, near: bool) -> bytes:
        if head.method not in {"GET", "OPTIONS"}:
            return answer("405 Method Not Allowed", "GET only\n")
        if wants_document(head):
            rules = self._policy.rules
            return document_answer(rules, min(rules.owners, default=""))
        if head.path == "/metrics" and near:
            return answer("200 OK", self._counters.text(*await self._weight()))
        if head.path == "/":
            return answer("200 OK", "A Nostr relay: connect with a WebSocket.\n")
        return answer("404 Not Found", "nothing here\n")

    async def _weight(self) -> tuple[int, int]:
        try:
            return await self._events.weight() if self._events else (0, 0)
        except StoreError:
            return 0, 0


@asynccontextmanager
async def open_relay(
    place: Place, rules: Rules, clock: Clock | None = None
) -> AsyncIterator[Relay]:
    """Run a relay while the context lasts.

    Raises:
        NotAvailable: the address cannot be listened at.
        StoreError: the database cannot be opened.
    """
    policy, counters, clock = Policy(rules), Counters(), clock or SystemClock()
    quicken()
    async with loop_lent(), _kept(place, counters, clock) as (database, events):
        callers, interest = Callers(), Interest()
        async with (
            await _listener(place) as listener,
            local_relay(database, lambda kind: kind(policy, callers, counters, clock)) as back,
            anyio.create_task_group() as tasks,
        ):
            intake = (
                Intake(database, policy, counters, clock, back.hand_on, interest)
                if isinstance(database, SqliteEvents)
                else None
            )
            own = {place_of(place.advertise)} - {""}
            front = Front(
                (back.host, back.port),
                callers,
                counters,
                _Answers(policy, counters, events, clock),
                lambda caller, name: Line(caller, policy, own | _also(name), clock, interest),
                intake,
            )
            tasks.start_soon(accept_all, listener, front.receive, tasks)
            if events is not None:
                tasks.start_soon(_housekeep, events, place.wrap_mib << 20, clock, counters)
            port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - no SQL
            yield Relay(policy, counters, f"ws://{place.host}:{port}")
            tasks.cancel_scope.cancel()


@asynccontextmanager
async def _kept(
    place: Place, counters: Counters, clock: Clock
) -> AsyncIterator[tuple[NostrDatabase, RelayEvents | None]]:
    if place.lmdb:
        path = place.directory / "relay.lmdb"
        await anyio.to_thread.run_sync(lambda: path.mkdir(mode=0o700, parents=True, exist_ok=True))
        yield await NostrLmdb.open(str(path)), None
        return
    async with relay_database(place.directory / DATABASE, place.max_pages) as opened:
        events = RelayEvents(opened)
        ids = await events.ids()
        sieve = await anyio.to_thread.run_sync(Sieve, ids)
        yield SqliteEvents(events, counters, clock, sieve), events


def _also(name: str) -> set[str]:
    """An address that was reached, and what else it is called."""
    host, _, port = name.rpartition(":")
    return {name, f"localhost:{port}"} if host.startswith("127.") else {name}


async def _listener(place: Place) -> Listener[SocketStream]:
    try:
        return await anyio.create_tcp_listener(local_host=place.host, local_port=place.port)
    except OSError as error:
        raise NotAvailable(
            f"the relay cannot listen at {place.host}:{place.port}: {error.strerror}",
            "end what listens there, or choose another port (mesh.listen)",
        ) from error


async def _housekeep(
    events: RelayEvents, wrap_bytes: int, clock: Clock, counters: Counters
) -> None:
    while True:
        try:
            await events.purge(clock.now_ms() // 1000, wrap_bytes)
        except StoreError as error:  # a full disk: the next round may find room
            counters.events[f"purge {type(error).__name__}"] += 1
        await anyio.sleep(_PURGE_S)
