"""Ten reads of 50 ms each through the real router, together and one after another."""

import statistics
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import anyio
import msgspec

from benchmarks import Row, at_least, told
from hermes.core.ids import CallId, ConversationId, SessionId, TurnId
from hermes.core.message import ToolCall, ToolResult
from hermes.core.tool import Change, Effect, FileStates, Outcome, Place, Subject, Tool, ToolContext
from hermes.tools.registry import Registry
from hermes.tools.router import Admission, Router

READS = 10
READ_S = 0.05


class Nothing(msgspec.Struct, frozen=True):
    """No arguments."""


async def _wait(_context: ToolContext, _arguments: Nothing) -> Outcome:
    await anyio.sleep(READ_S)
    return Outcome("read")


def _subject(_arguments: Nothing) -> Subject:
    return Subject("text", "")


SLOW = Tool("Slow", "Takes 50 ms.", Nothing, "read", _subject, run=_wait)


class Open:
    """Hooks that admit everything and tell nobody."""

    async def called(self, call: ToolCall, effect: Effect) -> None:
        """The model asked."""

    async def admit(
        self,
        call: ToolCall,
        tool: Tool,
        args: msgspec.Struct,
        effect: Effect,
        changes: Sequence[Change],
    ) -> Admission:
        """Say yes."""
        del call, tool, args, effect, changes
        return Admission(allowed=True)

    async def intent(self, call: ToolCall, tool: Tool, changes: Sequence[Change]) -> None:
        """A write is not expected here."""
        raise NotImplementedError(call, tool, changes)

    async def started(self, call: ToolCall) -> None:
        """It runs."""

    async def outcome(self, token: None, result: ToolResult) -> None:
        """A write is not expected here."""
        raise NotImplementedError(token, result)

    async def finished(self, call: ToolCall, result: ToolResult, diff: str) -> None:
        """It ran."""

    async def bug(self, call: ToolCall, error: Exception) -> None:
        """Show it."""
        raise RuntimeError(call) from error


def _context(call: ToolCall) -> ToolContext:
    place = Place(Path("/"), Path("/"))
    ids = (ConversationId("c"), SessionId("s"), TurnId("t"))
    return ToolContext(*ids, call.id, place, FileStates())


async def _time(router: Router, calls: Sequence[ToolCall]) -> float:
    start = time.perf_counter()
    results = await router.run(calls, _context, Open())
    taken = time.perf_counter() - start
    assert [one.text for one in results] == ["read"] * len(calls)
    return taken


async def _compare(laps: int) -> tuple[float, float]:
    router = Router(Registry([SLOW]), limit=READS)
    calls = [ToolCall(CallId(f"c{i}"), "Slow", "{}") for i in range(READS)]
    together, alone = [], []
    for _ in range(laps):
        together.append(await _time(router, calls))
        alone.append(sum([await _time(router, [call]) for call in calls]))
    return statistics.median(together), statistics.median(alone)


def main(quick: bool) -> list[Row]:  # noqa: FBT001 - the scripts' one signature
    """Measure."""
    together, alone = anyio.run(partial(_compare, 3 if quick else 10))
    beside = f"one after another {alone * 1000:.0f}"
    return [
        told("ten reads of 50 ms, together", together * 1000, "ms", beside),
        at_least("ten reads of 50 ms: faster by", alone / together, "x", 9.5),
    ]
