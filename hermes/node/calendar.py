"""The node's OpenTimestamps calendar: when batches close, and the queries of `hermes timestamp`.

Light until it runs: OpenTimestamps is loaded only where `chain.calendar` is set.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import anyio
import anyio.to_thread

from hermes.chain.batch import Batcher
from hermes.config import Settings
from hermes.core.clock import Clock
from hermes.core.event import Json
from hermes.errors import HermesError, NotAvailable, Usage
from hermes.load import load
from hermes.node.desk import Query
from hermes.store.stamps import Stamps

_LOOK_S = 30.0
_HOUR_MS = 3_600_000
_COMMITMENT = 32


class _Way(Protocol):
    known: bool
    way: bytes


class _Calendar(Protocol):
    """`hermes.chain.calendar.Calendar`, which is loaded late."""

    uri: str
    add: Callable[[bytes], Awaitable[bytes]]
    find: Callable[[bytes], Awaitable[_Way]]
    close_batch: Callable[[], Awaitable[bytes | None]]
    refresh: Callable[[], Awaitable[int]]
    facts: Callable[[], Awaitable[dict[str, Json]]]


class NodeCalendar:
    """Runs the calendar where the settings name its address."""

    def __init__(
        self,
        settings: Settings,
        stamps: Stamps,
        batcher: Batcher,
        clock: Clock,
        report: Callable[[str, BaseException], None],
    ) -> None:
        self._settings = settings.chain
        self._stamps = stamps
        self._batcher = batcher
        self._clock = clock
        self._report = report
        self._calendar: _Calendar | None = None
        self._opened = anyio.Event()

    def queries(self) -> Mapping[str, Query]:
        """The table of query names."""
        return {
            "timestamp.add": self.add,
            "timestamp.find": self.find,
            "timestamp.now": self.now,
            "timestamp.status": self.status,
        }

    async def run(self) -> None:
        """Keep the calendar open until cancelled; returns at once where none is set.

        What goes wrong is reported: a calendar is no reason for a node to end.
        """
        if not self._settings.calendar:
            return
        try:
            heavy = await anyio.to_thread.run_sync(load, "calendar")
            async with heavy.open_calendar(
                self._stamps, self._settings.calendar, self._batcher, self._report
            ) as self._calendar:
                self._opened.set()
                while True:
                    await self.look()
                    await anyio.sleep(_LOOK_S)
        except HermesError as error:
            self._report("the calendar", error)
        finally:
            self._calendar = None
            self._opened.set()

    async def look(self) -> None:
        """Close a batch when one is due, and see where the others stand; for every new tip."""
        calendar = await self._open()
        try:
            if await self._due():
                await calendar.close_batch()
            await calendar.refresh()
        except NotAvailable:  # no fault: a person has not anchored anything yet
            return
        except HermesError as error:
            self._report("the calendar", error)

    async def add(self, digest: str) -> Json:
        """Promise to anchor a digest (hex)."""
        calendar = await self._open()
        return {"uri": calendar.uri, "answer": (await calendar.add(_bytes(digest))).hex()}

    async def find(self, commitment: str) -> Json:
        """The way from a commitment (hex) into a block; empty while it waits."""
        raw = _bytes(commitment)
        if len(raw) != _COMMITMENT:
            raise Usage("a commitment has 64 hexadecimal digits")
        found = await (await self._open()).find(raw)
        return {"known": found.known, "answer": found.way.hex()}

    async def now(self) -> Json:
        """Close the batch and anchor it now."""
        calendar = await self._open()
        root = await calendar.close_batch()
        await calendar.refresh()
        return {"root": root.hex() if root else "", **await calendar.facts()}

    async def status(self) -> Json:
        """What the calendar holds."""
        calendar = await self._open()
        return await calendar.facts()

    async def _open(self) -> _Calendar:
        if self._settings.calendar:
            await self._opened.wait()
        if self._calendar is None:
            raise NotAvailable(
                "this node keeps no calendar",
                'set chain.calendar = "127.0.0.1:14788", or name another: --calendar URL',
            )
        return self._calendar

    async def _due(self) -> bool:
        if not self._settings.every_hours:
            return False
        last = await self._stamps.latest(1)
        since = self._clock.now_ms() - (last[0].closed if last else 0)
        return since >= self._settings.every_hours * _HOUR_MS


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise Usage(f"{text[:80]!r} is not hexadecimal") from error
