"""What surrounds a call: events, policy, approval and journal belong to the caller."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import msgspec

from hermes.core.message import ToolCall, ToolResult
from hermes.core.tool import Change, Effect, Tool, Tried

Token = TypeVar("Token")


@dataclass(frozen=True)
class Admission:
    """Whether a call may run; `text`: what the model is told when not."""

    allowed: bool
    text: str = ""


class Hooks(Protocol[Token]):
    """What happens around a call; `Token` names a journal entry."""

    async def called(self, call: ToolCall, effect: Effect) -> None:
        """The model asked: for every call, in order, before anything runs."""
        ...

    async def admit(
        self,
        call: ToolCall,
        tool: Tool,
        args: msgspec.Struct,
        effect: Effect,
        changes: Sequence[Change],
    ) -> Admission:
        """Policy and approval; may wait for a person."""
        ...

    async def settle(self, call: ToolCall, tool: Tool, tried: Tried) -> Admission:
        """Policy and approval for what a call did aside, before it is made real."""
        ...

    async def intent(self, call: ToolCall, tool: Tool, changes: Sequence[Change]) -> Token:
        """Journal a write before it is done."""
        ...

    async def started(self, call: ToolCall) -> None:
        """It was admitted and runs."""
        ...

    async def outcome(self, token: Token, result: ToolResult) -> None:
        """Journal what came of a write."""
        ...

    async def finished(self, call: ToolCall, result: ToolResult, diff: str) -> None:
        """What the model will see: for every call."""
        ...

    async def bug(self, call: ToolCall, error: Exception) -> None:
        """A tool failed in a way that no tool should."""
        ...
