"""The events of a turn: the one stream that every front end renders (docs/events.md).

A public format: additions only. As JSON each is one object with `type`, `conversation_id`,
`turn_id`, `at` (RFC 3339); inside, `at` is integer milliseconds.
"""

from typing import Any, Literal

import msgspec

from hermes.core.clock import from_rfc3339, rfc3339
from hermes.core.ids import CallId, ConversationId, TurnId

Answer = Literal["yes", "always", "no"]

Json = Any
"""Any JSON value: what a person or a model wrote, not yet validated."""


class Usage(msgspec.Struct, frozen=True):
    """What a turn cost: tokens (cached ones are part of the prompt), model calls, ms."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    steps: int = 0
    model_ms: int = 0
    wall_ms: int = 0


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    conversation_id: ConversationId
    turn_id: TurnId
    at: int


class TurnStarted(_Event, frozen=True, kw_only=True, tag="turn_started"):
    """The user's message is durable: this is the acknowledgement."""

    model: str = ""
    resumed: bool = False


class TextDelta(_Event, frozen=True, kw_only=True, tag="text_delta"):
    """More words of the answer, as they are generated."""

    text: str


class ToolCalled(_Event, frozen=True, kw_only=True, tag="tool_called"):
    """The model asked for a tool; policy has not spoken yet."""

    call_id: CallId
    name: str
    arguments: Json  # the raw text when it does not parse
    effect: Literal["read", "write"]


class ApprovalAsked(_Event, frozen=True, kw_only=True, tag="approval_asked"):
    """A person has to say yes; `rule` is what "always" would add."""

    call_id: CallId
    name: str
    arguments: Json
    rule: str
    reason: str = ""
    diff: str = ""


class ApprovalAnswered(_Event, frozen=True, kw_only=True, tag="approval_answered"):
    """The first answer won."""

    call_id: CallId
    answer: Answer
    by: str
    reason: str = ""


class ToolStarted(_Event, frozen=True, kw_only=True, tag="tool_started"):
    """Policy allowed it and it runs."""

    call_id: CallId


class ToolFinished(_Event, frozen=True, kw_only=True, tag="tool_finished"):
    """What the model will see of the result."""

    call_id: CallId
    name: str
    ok: bool
    denied: bool
    result: str
    truncated: bool
    diff: str = ""


class Compacted(_Event, frozen=True, kw_only=True, tag="compacted"):
    """Older parts of the conversation were shortened for the model; the store keeps all.

    `by`: who wrote the `digest_bytes` that stand for them (rules, or a model's name), or
    `limit`: the window was full before anybody had.
    """

    elided_results: int
    dropped_turns: int
    saved_tokens: int
    by: str = ""
    digest_bytes: int = 0


class Notice(_Event, frozen=True, kw_only=True, tag="notice"):
    """Something the person should know: an engine restarted, an unfinished write."""

    text: str


class TurnFinished(_Event, frozen=True, kw_only=True, tag="turn_finished"):
    """The final answer."""

    text: str
    usage: Usage
    denied: int = 0


class TurnFailed(_Event, frozen=True, kw_only=True, tag="turn_failed"):
    """No answer; `error` says what is the case, `remedy` what to do."""

    error: str
    remedy: str
    kind: str = ""
    denied: int = 0
    usage: Usage = Usage()


Event = (
    TurnStarted
    | TextDelta
    | ToolCalled
    | ApprovalAsked
    | ApprovalAnswered
    | ToolStarted
    | ToolFinished
    | Compacted
    | Notice
    | TurnFinished
    | TurnFailed
)


def to_plain(event: Event) -> dict[str, Json]:
    """Render an event as plain JSON data."""
    plain: dict[str, Json] = msgspec.to_builtins(event)
    plain["at"] = rfc3339(event.at)
    return plain


def from_plain(plain: dict[str, Json]) -> Event:
    """Read an event from plain JSON data; raises msgspec.ValidationError or ValueError."""
    event: Event = msgspec.convert(plain | {"at": from_rfc3339(plain["at"])}, Event)
    return event


def is_final(event: Event) -> bool:
    """Whether the turn is over after this event."""
    return isinstance(event, TurnFinished | TurnFailed)
