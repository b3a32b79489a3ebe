"""What one turn tells: its events, its usage, how many calls were refused."""

from collections.abc import Sequence
from typing import Any

import msgspec

from hermes.conversation.bus import Bus
from hermes.core.clock import Clock
from hermes.core.event import (
    Compacted,
    Event,
    Notice,
    TextDelta,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    TurnFinished,
    TurnStarted,
    Usage,
)
from hermes.core.ids import CallId, ConversationId, TurnId
from hermes.core.message import ToolCall, ToolResult
from hermes.core.model import ModelUsage
from hermes.errors import HermesError
from hermes.prompt.builder import Prompt


class Record:
    """One turn's voice on the bus; `busy`: the tools that run, by their calls."""

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        conversation: ConversationId,
        turn: TurnId,
        busy: dict[CallId, str],
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._head = {"conversation_id": conversation, "turn_id": turn}
        self._busy = busy
        self._began = clock.now_ms()
        self.usage = Usage()
        self.denied = 0
        self.over = False  # the final event was told
        self.partial: list[str] = []

    def head(self) -> dict[str, Any]:
        """The fields that every event of this turn has."""
        return self._head | {"at": self._clock.now_ms()}

    def tell(self, event: Event) -> None:
        """Publish an event."""
        self._bus.publish(event)

    def started(self, model: str, *, resumed: bool) -> None:
        """The user's message is durable."""
        self.tell(TurnStarted(**self.head(), model=model, resumed=resumed))

    def text(self, text: str) -> None:
        """More of the answer."""
        self.partial.append(text)
        self.tell(TextDelta(**self.head(), text=text))

    def notice(self, text: str) -> None:
        """Something the person should know."""
        self.tell(Notice(**self.head(), text=text))

    def tool_started(self, call: ToolCall) -> None:
        """It runs."""
        self._busy[call.id] = call.name
        self.tell(ToolStarted(**self.head(), call_id=call.id))

    def tool_finished(self, result: ToolResult, diff: str = "") -> None:
        """What the model will see."""
        self._busy.pop(result.call_id, None)
        self.tell(
            ToolFinished(
                **self.head(),
                call_id=result.call_id,
                name=result.name,
                ok=result.ok,
                denied=result.denied,
                result=result.text,
                truncated=result.truncated,
                diff=diff,
            )
        )

    def compacted(self, what: Prompt, saved_tokens: int, by: str) -> None:
        """The model is shown less than before; `by`: who prepared it."""
        self.tell(
            Compacted(
                **self.head(),
                elided_results=what.elided_results,
                dropped_turns=what.dropped_turns,
                saved_tokens=saved_tokens,
                by=by,
                digest_bytes=len(what.cut.digest.encode()) + len(what.cut.gap_digest.encode()),
            )
        )

    def spent(self, usage: ModelUsage, model_ms: int) -> None:
        """Add one model call."""
        self.usage = msgspec.structs.replace(
            self.usage,
            prompt_tokens=self.usage.prompt_tokens + usage.prompt,
            cached_tokens=self.usage.cached_tokens + usage.cached,
            completion_tokens=self.usage.completion_tokens + usage.completion,
            steps=self.usage.steps + 1,
            model_ms=self.usage.model_ms + model_ms,
        )

    def total(self) -> Usage:
        """The usage so far, with the wall time."""
        return msgspec.structs.replace(self.usage, wall_ms=self._clock.now_ms() - self._began)

    def finished(self, text: str) -> None:
        """The final answer."""
        self.over = True
        usage = self.total()
        self.tell(TurnFinished(**self.head(), text=text, usage=usage, denied=self.denied))

    def failed(self, error: HermesError, results: Sequence[ToolResult] = ()) -> None:
        """No answer; what ran has ended, too, as the model will see it in `results`."""
        self.over = True
        known = {result.call_id: result for result in results}
        for call, name in [*self._busy.items()]:
            cut = ToolResult(call, name, f"error: {error.message}", ok=False)
            self.tool_finished(known.get(call, cut))
        self.tell(
            TurnFailed(
                **self.head(),
                error=error.message,
                remedy=error.remedy,
                kind=type(error).__name__,
                denied=self.denied,
                usage=self.total(),
            )
        )
