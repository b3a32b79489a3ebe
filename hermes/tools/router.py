"""The tool router: cuts a step's calls at write barriers and runs them.

Consecutive reads run together, a write runs alone; results keep the order of the calls. What
surrounds a call (events, policy, approval, journal) is the caller's, through `Hooks`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import anyio
import anyio.to_thread
import msgspec

from hermes.core.message import ToolCall, ToolResult
from hermes.core.tool import Effect, Place, Tool, ToolContext
from hermes.errors import ToolFailure
from hermes.tools.arguments import parsed
from hermes.tools.execution import Execution, Prepared, internal
from hermes.tools.hooks import Admission, Hooks
from hermes.tools.more import unwrap
from hermes.tools.registry import Registry

__all__ = ["Admission", "Batch", "Hooks", "Prepared", "Router", "cut"]

RESULT_CHARS = 8_000


@dataclass(frozen=True)
class Batch:
    """Calls that run together: any number of reads, or one write."""

    effect: Effect
    calls: tuple[int, ...]
    """Positions in the order of the calls."""


def cut(calls: Sequence[Prepared]) -> list[Batch]:
    """Put consecutive reads together and each write alone."""
    batches: list[Batch] = []
    for position, prepared in enumerate(calls):
        last = batches[-1] if batches else None
        if prepared.effect == "read" and last is not None and last.effect == "read":
            batches[-1] = Batch("read", (*last.calls, position))
        else:
            batches.append(Batch(prepared.effect, (position,)))
    return batches


class Router:
    """Runs a step's calls; `limit`: reads at once, `result_chars`: room of one result."""

    def __init__(
        self, registry: Registry, limit: int = 10, result_chars: int = RESULT_CHARS
    ) -> None:
        self._registry = registry
        self._reads = anyio.CapacityLimiter(limit)
        self._result_chars = result_chars

    async def run(
        self,
        calls: Sequence[ToolCall],
        context_for: Callable[[ToolCall], ToolContext],
        hooks: Hooks[Any],
    ) -> tuple[ToolResult, ...]:
        """Run all calls; one result each, in order. What the hooks raise comes out of here.

        Args:
            calls: as the model made them, their arguments perhaps no JSON.
            context_for: what a call may know.
            hooks: what happens around each call.
        """
        prepared = [await self._prepare(unwrap(call), context_for) for call in calls]
        for one in prepared:
            await hooks.called(one.call, one.effect)
        results: dict[int, ToolResult] = {}

        async def place(position: int) -> None:
            results[position] = await Execution(prepared[position], hooks, self._reads).run()

        for batch in cut(prepared):
            try:
                async with anyio.create_task_group() as group:
                    for position in batch.calls:
                        group.start_soon(place, position)
            except ExceptionGroup as several:
                raise several.exceptions[0] from several
        return tuple(results[position] for position in range(len(prepared)))

    async def _prepare(
        self, call: ToolCall, context_for: Callable[[ToolCall], ToolContext]
    ) -> Prepared:
        context = replace(context_for(call), result_chars=self._result_chars)
        tool = self._registry.get(call.name)
        if tool is None:
            names = ", ".join(self._registry.names())
            return Prepared(call, context, failure=f"no such tool {call.name[:60]}; tools: {names}")
        try:
            args = parsed(call.arguments, tool.arguments)
            effect = await _effect(tool, args, context.place)
        except ToolFailure as error:
            return Prepared(call, context, failure=error.message)
        except Exception as error:  # noqa: BLE001 - reported when its turn comes
            return Prepared(call, context, failure=internal(tool.name, error), bug=error)
        return Prepared(call, context, effect, tool, args)


async def _effect(tool: Tool, args: msgspec.Struct, place: Place) -> Effect:
    if callable(tool.effect):
        return await anyio.to_thread.run_sync(tool.effect, args, place)
    return tool.effect
