"""Turns the stream of events into what stands above the prompt."""

import json
from typing import Literal

from hermes.core.event import (
    ApprovalAnswered,
    ApprovalAsked,
    Compacted,
    Event,
    Json,
    Notice,
    TextDelta,
    ToolCalled,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    TurnFinished,
    TurnStarted,
)
from hermes.core.ids import CallId
from hermes.gateway.render_blocks import Blocks
from hermes.gateway.render_event import (
    approval_lines,
    call_line,
    compacted_line,
    failed_lines,
    result_line,
    stopped,
    usage_line,
)
from hermes.gateway.render_text import clean, one_line
from hermes.gateway.terminal_screen import Screen
from hermes.gateway.terminal_view import View

_SHOWN_LINES = 12  # of what a person pasted; the store keeps all


class Transcript:
    """Shows events of one conversation, whoever asked for the turn."""

    def __init__(self, screen: Screen, view: View) -> None:
        self._screen = screen
        self._paint = screen.paint
        self._view = view
        self._streamed = False
        self._last: Literal["", "answer", "tool"] = ""  # what was shown last
        self._arguments: dict[CallId, Json] = {}
        self.mine: set[CallId] = set()  # approvals answered here

    async def show(self, event: Event) -> None:
        """Show one event."""
        match event:
            case TurnStarted():
                await self._started(event)
            case TextDelta():
                await self._text(event.text)
            case ToolCalled() | ToolStarted() | ToolFinished():
                await self._tool(event)
            case ApprovalAsked() | ApprovalAnswered():
                await self._approval(event)
            case Compacted():
                await self._aside(compacted_line(event, self._view.marks), "dim")
            case Notice():
                await self._aside(f"{self._view.marks.notice} {clean(event.text)}", "warn")
            case TurnFinished():
                await self._finished(event)
            case TurnFailed():
                await self._failed(event)
        self._view.changed()

    async def user(self, text: str, where: str = "") -> None:
        """Show what a person said."""
        first, *more = clean(text).split("\n")
        if (left := len(more) - _SHOWN_LINES) > 1:
            more = [*more[:_SHOWN_LINES], f"... {left} more lines"]
        lines = [f"{self._view.marks.prompt} {first}{where}", *(f"  {line}" for line in more)]
        self._last = ""
        await self._screen.commit("\n" + self._paint.lines(lines, "user"))

    async def call(self, name: str, arguments: str) -> None:
        """Show a call of an earlier turn; its arguments are the text that the model wrote."""
        try:
            values: Json = json.loads(arguments)
        except ValueError:
            values = arguments
        width = self._screen.columns - 1
        line = one_line(call_line(name, values, self._view.marks, width), width)
        self._last = "tool"
        await self._screen.commit(self._paint.line(line, "dim"))

    async def answer(self, text: str) -> None:
        """Show a whole answer."""
        blocks = Blocks()
        finished = [*blocks.feed(text), *blocks.finish()]
        await self._blocks(finished)

    async def _started(self, event: TurnStarted) -> None:
        self._streamed = False
        self._view.begin()
        if event.resumed:
            await self._aside(f"{self._view.marks.notice} the turn goes on where it was", "warn")

    async def _text(self, text: str) -> None:
        self._streamed = True
        finished = self._view.blocks.feed(text)
        if finished:
            await self._blocks(finished)

    async def _tool(self, event: ToolCalled | ToolStarted | ToolFinished) -> None:
        match event:
            case ToolCalled():
                await self._flush()
                self._arguments[event.call_id] = event.arguments
                self._view.tools[event.call_id] = call_line(
                    event.name, event.arguments, self._view.marks
                )
            case ToolStarted():
                pass
            case ToolFinished():
                self._view.tools.pop(event.call_id, None)
                arguments = self._arguments.pop(event.call_id, None)
                line = result_line(event, self._view.marks, arguments, self._screen.columns)
                style = "warn" if event.denied else "good" if event.ok else "bad"
                shown = self._paint.line(line, style)
                self._last = "tool"
                if event.diff and event.ok:
                    shown += self._paint.diff(event.diff, most=40)
                await self._screen.commit(shown)

    async def _approval(self, event: ApprovalAsked | ApprovalAnswered) -> None:
        if isinstance(event, ApprovalAsked):
            await self._flush()
            self._view.approvals[event.call_id] = event
            self._arguments.setdefault(event.call_id, event.arguments)  # joined in mid-turn
            head, *lines, keys = approval_lines(event, self._view.marks)
            await self._screen.say(head, "warn")
            await self._screen.commit(self._paint.lines(lines))
            await self._screen.say(keys, "warn")
            return
        known = self._view.approvals.pop(event.call_id, None)
        if known and event.call_id not in self.mine:
            by = f" by {clean(event.by)}" if event.by else ""
            reason = f": {clean(event.reason)}" if event.reason else ""
            await self._aside(f"{self._view.marks.notice} answered{by}: {event.answer}{reason}")

    async def _finished(self, event: TurnFinished) -> None:
        await self._flush()
        if not self._streamed and event.text:
            await self.answer(event.text)
        if line := usage_line(event.usage, self._view.marks):
            await self._screen.commit(self._paint.line(f"  {line}", "dim"))
        self._view.end()

    async def _failed(self, event: TurnFailed) -> None:
        await self._flush()
        marks, wanted = self._view.marks, stopped(event)
        for line in self._view.tools.values():
            ended = f"{marks.failed}{line.removeprefix(marks.call)}"
            width = self._screen.columns - 20
            await self._aside(f"{one_line(ended, width)}{marks.dot}not finished", "warn")
        for line in failed_lines(event, marks):
            await self._screen.say(line, "dim" if wanted else "bad")
        self._view.end()

    async def _aside(self, line: str, style: str = "dim") -> None:
        await self._flush()
        self._last = "tool"
        await self._screen.say(line, style)

    async def _flush(self) -> None:
        blocks = self._view.blocks.finish()
        if blocks:
            await self._blocks(blocks)

    async def _blocks(self, blocks: list[str]) -> None:
        gap = "\n" if self._last else ""
        self._last = "answer"
        await self._screen.commit(gap + await self._paint.markdown(blocks))
