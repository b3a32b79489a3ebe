"""nostr-sdk's LocalRelay on a port of its own, and its orderly end.

The library crashes the interpreter at its end if a relay still has callbacks: leaving the
context waits until it has let go of the gates. Whoever connects past the front door is refused
by them.
"""

import threading
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

import anyio
import anyio.to_thread
from nostr_sdk import Event, LocalRelay, LocalRelayBuilder, NostrDatabase, RateLimit

from hermes.mesh.nostr_loop import shut_down
from relay.about import MOST_FOUND, MOST_NAME, MOST_SUBSCRIPTIONS
from relay.gate import QueryGate, WriteGate

_UNLIMITED = 100_000_000  # the library's rate limit does not refill under a steady load: ours holds
_LET_GO_S = 5.0

Gate = TypeVar("Gate", WriteGate, QueryGate)


class Made(Protocol):
    """Makes a gate of either kind."""

    def __call__(self, kind: type[Gate], /) -> Gate:
        """One of this kind."""
        ...


class Local:
    """A running LocalRelay: its address, and the way to its subscribers."""

    def __init__(self, relay: LocalRelay, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._relay: LocalRelay | None = relay

    def hand_on(self, event: Event) -> None:
        """Give an event to those who wait for such."""
        if self._relay is not None:
            self._relay.notify_event(event)

    async def end(self) -> None:
        """Shut it down and let go of it: it lives on as long as anybody holds it."""
        relay, self._relay = self._relay, None
        if relay is not None:
            await shut_down(relay)


@asynccontextmanager
async def local_relay(database: NostrDatabase, made: Made) -> AsyncIterator[Local]:
    """Run LocalRelay and yield its address, inside of `loop_lent` only."""
    # Nobody else may hold on to the gates: that they go shows that the library is done.
    writing, asking = made(WriteGate), made(QueryGate)
    let_go = [_let_go(gate) for gate in (writing, asking)]
    relay = (
        LocalRelayBuilder()
        .addr("127.0.0.1")
        .database(database)
        .write_policy(writing)
        .query_policy(asking)
        .rate_limit(RateLimit(max_reqs=MOST_SUBSCRIPTIONS, notes_per_minute=_UNLIMITED))
        .max_filter_limit(MOST_FOUND)
        .default_filter_limit(MOST_FOUND)
        .max_subid_length(MOST_NAME)
        .build()
    )
    del writing, asking
    await relay.run()
    local = Local(relay, *await _address(relay))
    del relay
    try:
        yield local
    finally:
        with anyio.CancelScope(shield=True):
            await local.end()
            await anyio.to_thread.run_sync(_wait, let_go)


async def _address(relay: LocalRelay) -> tuple[str, int]:
    host, _, port = str(await relay.url()).removeprefix("ws://").strip("/").rpartition(":")
    return host, int(port)


def _let_go(gate: WriteGate | QueryGate) -> threading.Event:
    gone = threading.Event()
    weakref.finalize(gate, gone.set)
    return gone


def _wait(let_go: list[threading.Event]) -> None:
    for gone in let_go:
        gone.wait(_LET_GO_S)
