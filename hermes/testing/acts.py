"""What a scripted model server does with one request: an answer, or a misbehaviour.

Values only; `endpoint` plays them. Everything is a status, headers, bytes with pauses
between them, and an ending.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import msgspec

from hermes.core.message import ToolCall

Ending = Literal["end", "cut", "hang"]
_EVENTS = (("content-type", "text/event-stream"),)
_JSON = (("content-type", "application/json"),)
DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True)
class Act:
    """`parts` are sent in order, a number is a pause in seconds. `delay_s`: before the head.

    `ending`: `end` closes the body properly, `cut` drops the connection, `hang` says no more
    until the client goes away. `head` False: not even a status line. `raw`: the parts are
    the whole answer, head included.
    """

    parts: tuple[bytes | float, ...] = ()
    status: int = 200
    headers: tuple[tuple[str, str], ...] = _EVENTS
    delay_s: float = 0.0
    ending: Ending = "end"
    head: bool = True
    raw: bool = False

    def cut_after(self, size: int) -> "Act":
        """Drop the connection after so many bytes of the body."""
        parts: list[bytes | float] = []
        for part in self.parts:
            if isinstance(part, float):
                parts.append(part)
            elif size > 0:
                parts.append(part[:size])
                size -= len(part)
        return replace(self, parts=tuple(parts), ending="cut")

    def hang_after(self, parts: int) -> "Act":
        """Fall silent after so many parts."""
        return replace(self, parts=self.parts[:parts], ending="hang")

    def drip(self, size: int, pause_s: float) -> "Act":
        """Send the same bytes in little portions."""
        data = b"".join(part for part in self.parts if isinstance(part, bytes))
        starts = [*range(0, len(data), size), len(data)]
        parts = [part for a, b in pairwise(starts) for part in (data[a:b], pause_s)]
        return replace(self, parts=tuple(parts))


def say(
    text: str = "",
    calls: Sequence[ToolCall] = (),
    *,
    pieces: Sequence[str] | None = None,
    chunk_delay_s: float = 0.0,
    delay_s: float = 0.0,
    usage: tuple[int, int, int] = (10, 4, 3),
) -> Act:
    """Answer as a good server does: words, calls, a finish reason, usage, `[DONE]`.

    Args:
        text: the answer, streamed in words.
        calls: tool calls after it, their arguments in two deltas.
        pieces: the text's deltas, when they matter.
        chunk_delay_s: pause before each delta but the first.
        delay_s: pause before the head.
        usage: tokens of the prompt, cached ones of them, generated ones.
    """
    words = list(pieces) if pieces is not None else re.findall(r"\S+\s*|\s+", text)
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None}]
    deltas += [{"content": word} for word in words]
    for index, call in enumerate(calls):
        half = len(call.arguments) // 2
        function = {"name": call.name, "arguments": call.arguments[:half]}
        deltas.append({"tool_calls": [{"index": index, "id": call.id, "function": function}]})
        rest = {"index": index, "function": {"arguments": call.arguments[half:]}}
        deltas.append({"tool_calls": [rest]})
    parts: list[bytes | float] = []
    for delta in deltas:
        parts += [chunk(delta), *([chunk_delay_s] if chunk_delay_s else [])]
    parts.append(chunk({}, finish="tool_calls" if calls else "stop"))
    prompt, cached, completion = usage
    counts = {"prompt_tokens": prompt, "completion_tokens": completion}
    details = {"prompt_tokens_details": {"cached_tokens": cached}}
    parts += [event({"choices": [], "usage": counts | details}), DONE]
    return Act(tuple(parts), delay_s=delay_s)


def whole(text: str = "", calls: Sequence[ToolCall] = ()) -> Act:
    """Answer with one JSON document, although asked to stream."""
    wire = [{"id": c.id, "function": {"name": c.name, "arguments": c.arguments}} for c in calls]
    message = {"role": "assistant", "content": text, "tool_calls": wire}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return Act((msgspec.json.encode({"choices": [choice]}),), headers=_JSON)


def refuse(status: int, error: Any = "no", *, retry_after: str = "") -> Act:  # noqa: ANN401 - JSON
    """Answer with an error status and `{"error": …}`."""
    after = (("retry-after", retry_after),) if retry_after else ()
    body = msgspec.json.encode({"error": error})
    return Act((body,), status=status, headers=_JSON + after)


def overflow(prompt: int, window: int) -> Act:
    """Answer as llama.cpp does when the prompt does not fit."""
    return refuse(
        400,
        {
            "code": 400,
            "message": f"request ({prompt} tokens) exceeds the available context size",
            "type": "exceed_context_size_error",
            "n_prompt_tokens": prompt,
            "n_ctx": window,
        },
    )


def silence() -> Act:
    """Accept the request and say nothing."""
    return Act(head=False, ending="hang")


def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    """Write one chunk of a completion as an event."""
    return event({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def event(data: Any) -> bytes:  # noqa: ANN401 - JSON
    """Write one event."""
    return b"data: " + msgspec.json.encode(data) + b"\n\n"
