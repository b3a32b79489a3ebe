"""One call from admission to result, with its hooks around it.

A tool's failure is an answer; a bug is one too, and is reported. A write that was begun is
journaled with its outcome, or not at all when it was cancelled: then it counts as unfinished.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.to_thread
import msgspec

from hermes.core.message import ToolCall, ToolResult
from hermes.core.tool import Change, Effect, Outcome, Tool, ToolContext, Tried
from hermes.errors import ToolFailure
from hermes.tools.apply import apply
from hermes.tools.diff import diff_of
from hermes.tools.disk import digest
from hermes.tools.hooks import Hooks
from hermes.tools.plain import encodable, ends

_NAME_CHARS = 64
NOTHING_KEPT = "nothing that it did was kept"


class _None(msgspec.Struct, frozen=True):
    """No arguments: the call could not be read."""


_NONE = _None()


@dataclass(frozen=True)
class Prepared:
    """A call, read: its tool, arguments and effect, or why it cannot be."""

    call: ToolCall
    context: ToolContext
    effect: Effect = "read"
    tool: Tool | None = None
    args: msgspec.Struct = _NONE
    failure: str = ""
    bug: Exception | None = None


class _Over(Exception):
    """The call ends here, with this outcome."""

    def __init__(self, outcome: Outcome, *, denied: bool = False) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome
        self.denied = denied


class Execution:
    """Runs one prepared call; `reads` bounds how many of them run at once."""

    def __init__(self, one: Prepared, hooks: Hooks[Any], reads: anyio.CapacityLimiter) -> None:
        self._one = one
        self._call = one.call
        self._context = one.context
        self._hooks = hooks
        self._reads = reads

    async def run(self) -> ToolResult:
        """Run it to its result, which `finished` has seen."""
        diff, denied = "", False
        try:
            outcome, diff = await self._attempt()
        except _Over as over:
            outcome, denied = over.outcome, over.denied
        result = self._result(outcome, denied=denied)
        await self._hooks.finished(self._call, result, diff)
        return result

    async def _attempt(self) -> tuple[Outcome, str]:
        tool = self._one.tool
        if tool is None:
            if self._one.bug is not None:
                await self._hooks.bug(self._call, self._one.bug)
            return Outcome(f"error: {self._one.failure}", ok=False), ""
        if tool.plan is not None:
            return await self._change(tool)
        await self._admit(tool, ())
        assert tool.run is not None
        if self._one.effect == "write":
            if tool.trial is not None:
                return await self._trial(tool)
            token = await self._hooks.intent(self._call, tool, ())
            await self._hooks.started(self._call)
            outcome = await self._answer(tool.run(self._context, self._one.args))
            await self._journal(token, outcome)
            return outcome, ""
        async with self._reads:
            await self._hooks.started(self._call)
            return await self._answer(tool.run(self._context, self._one.args)), ""

    async def _trial(self, tool: Tool) -> tuple[Outcome, str]:
        """Do it aside; then what it did is journaled as one write and made real."""
        assert tool.trial is not None
        assert tool.run is not None
        tokens = [await self._hooks.intent(self._call, tool, ())] if tool.reaches else []
        await self._hooks.started(self._call)
        try:
            tried = await tool.trial(self._context, self._one.args)
        except Exception as error:  # noqa: BLE001 - told apart and reported there
            tried = Tried(await self._failed(error))
        if tried is None:
            tokens = tokens or [await self._hooks.intent(self._call, tool, ())]
            tried = Tried(await self._answer(tool.run(self._context, self._one.args)))
        if tried.settle is not None:
            tried = await self._let(tool, tried)
        if tried.settle is not None:
            tokens.append(await self._hooks.intent(self._call, tool, tried.changes))
        with anyio.CancelScope(shield=True):
            outcome = tried.outcome
            if tried.settle is not None:
                outcome = await self._answer(_settled(tried, tried.settle))
            for token in tokens:
                await self._journal(token, outcome)
        shown = tried.changes if outcome.ok else ()
        return outcome, await anyio.to_thread.run_sync(diff_of, shown)

    async def _let(self, tool: Tool, tried: Tried) -> Tried:
        """What policy lets be made real of it: all, or nothing."""
        admission = await self._hooks.settle(self._call, tool, tried)
        if admission.allowed:
            return tried
        said = f"{tried.outcome.text}\n{admission.text or 'error: denied'}; {NOTHING_KEPT}"
        return Tried(Outcome(said, ok=False, truncated=tried.outcome.truncated))

    async def _change(self, tool: Tool) -> tuple[Outcome, str]:
        assert tool.plan is not None
        try:
            changes = await tool.plan(self._context, self._one.args)
        except Exception as error:  # noqa: BLE001 - told apart and reported there
            return await self._failed(error), ""
        await self._admit(tool, changes)
        token = await self._hooks.intent(self._call, tool, changes)
        await self._hooks.started(self._call)
        with anyio.CancelScope(shield=True):
            outcome = await self._answer(self._apply(tool, changes))
            await self._journal(token, outcome)
        return outcome, diff_of(changes) if outcome.ok else ""

    async def _apply(self, tool: Tool, changes: Sequence[Change]) -> Outcome:
        await apply(changes)
        seen = self._context.files.seen
        for change in changes:
            if change.after is None:
                seen.pop(change.path, None)
            else:
                seen[change.path] = digest(change.after)
        told = tool.summary(self._one.args, tuple(changes)) if tool.summary else "done"
        return Outcome(told)

    async def _admit(self, tool: Tool, changes: Sequence[Change]) -> None:
        admission = await self._hooks.admit(
            self._call, tool, self._one.args, self._one.effect, changes
        )
        if not admission.allowed:
            raise _Over(Outcome(admission.text or "error: denied", ok=False), denied=True)

    async def _answer(self, work: Awaitable[Outcome]) -> Outcome:
        try:
            return await work
        except Exception as error:  # noqa: BLE001 - told apart and reported there
            return await self._failed(error)

    async def _failed(self, error: Exception) -> Outcome:
        if isinstance(error, ToolFailure):
            return Outcome(f"error: {error.message}", ok=False)
        await self._hooks.bug(self._call, error)
        return Outcome(f"error: {internal(self._call.name, error)}", ok=False)

    async def _journal(self, token: Any, outcome: Outcome) -> None:  # noqa: ANN401 - the hooks' own
        with anyio.CancelScope(shield=True):
            await self._hooks.outcome(token, self._result(outcome))

    def _result(self, outcome: Outcome, *, denied: bool = False) -> ToolResult:
        text, was_cut = ends(encodable(outcome.text), self._context.result_chars)
        return ToolResult(
            call_id=self._call.id,
            name=encodable(self._call.name[:_NAME_CHARS]),
            text=text,
            ok=outcome.ok,
            denied=denied,
            truncated=outcome.truncated or was_cut,
        )


async def _settled(tried: Tried, settle: Callable[[], Awaitable[None]]) -> Outcome:
    try:
        await settle()
    except ToolFailure as error:
        said = f"{tried.outcome.text}\nerror: {error.message}; {NOTHING_KEPT}"
        return Outcome(said, ok=False, truncated=tried.outcome.truncated)
    return tried.outcome


def internal(name: str, error: Exception) -> str:
    """What the model is told of a bug: it is none of its doing."""
    return f"internal error in {name} ({type(error).__name__})"
