"""The chunks of a streamed chat completion, put together again.

Tolerant of what servers leave out or write in their own way: ids, indexes, roles, usage,
arguments as an object, reasoning under two names, a whole message instead of deltas.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from hermes.core.ids import CallId
from hermes.core.message import ToolCall
from hermes.core.model import ModelUsage, Piece
from hermes.errors import ModelGarbled
from hermes.models.calls_json import MOST
from hermes.models.refusal import plain, refusal_in_stream, whole

Finish = Literal["stop", "tool_calls", "length"]
_THOUGHTS = ("reasoning_content", "reasoning", "thinking")


class _OpenCall:
    """A call whose arguments are still coming."""

    def __init__(self, identity: str, key: object) -> None:
        self.id = identity
        self.key = key
        self.name = ""
        self.arguments: list[str] = []


class Answer:
    """Takes the data of each event; afterwards `calls`, `finish` and `usage` are known."""

    def __init__(self) -> None:
        self._calls: list[_OpenCall] = []
        self._reason = ""
        self.usage = ModelUsage()
        self.done = False

    @property
    def ended(self) -> bool:
        """Whether the server said that the answer is complete."""
        return self.done or bool(self._reason)

    @property
    def finish(self) -> Finish:
        """Why it ended."""
        if self._reason == "length":
            return "length"
        return "tool_calls" if self._calls else "stop"

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The calls in order, each with an id of its own."""
        found: list[ToolCall] = []
        for number, call in enumerate(self._calls):
            taken = {earlier.id for earlier in found}
            named = CallId(call.id if call.id and call.id not in taken else f"call_{number}")
            found.append(ToolCall(named, call.name, "".join(call.arguments).strip() or "{}"))
        return tuple(found)

    def take(self, event: bytes) -> list[Piece]:
        """Read one event; raises ModelError where it is an error or no chunk."""
        if event.strip() == b"[DONE]":
            self.done = True
            return []
        chunk = _decoded(event)
        if chunk.get("error"):
            raise refusal_in_stream(chunk["error"])
        self._count(chunk)
        choice = _first(chunk.get("choices"))
        reason = choice.get("finish_reason")
        self._reason = reason if isinstance(reason, str) and reason else self._reason
        delta = choice.get("delta") or choice.get("message") or {}
        if not isinstance(delta, Mapping):
            return []
        if "message" in choice:
            self.done = True  # not streamed: this is all
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            self._call(call if isinstance(call, Mapping) else {})
        thought = next((t for name in _THOUGHTS if (t := _text(delta.get(name)))), "")
        content = _text(delta.get("content"))
        pieces = [Piece(thought, thought=True)] if thought else []
        return [*pieces, Piece(content)] if content else pieces

    @property
    def begun(self) -> bool:
        """Whether anything was generated or the answer is over."""
        return self.ended or bool(self._calls)

    def _call(self, delta: Mapping[str, Any]) -> None:
        function = delta.get("function")
        function = function if isinstance(function, Mapping) else delta
        identity, name = _text(delta.get("id")), _text(function.get("name"))
        call = self._open(delta.get("index"), identity, name)
        call.id = call.id or identity
        call.name = call.name or name
        given = function.get("arguments")
        if isinstance(given, str):
            call.arguments.append(given)
        elif given is not None:
            call.arguments.append(msgspec.json.encode(given).decode())

    def _open(self, index: object, identity: str, name: str) -> _OpenCall:
        """Find the call that a delta belongs to, or begin one.

        Some servers count every call as number 0 but give each its own id and name; others
        give neither index nor id after the first delta.
        """
        same = [c for c in self._calls if c.key == index] if index is not None else self._calls
        last = same[-1] if same else None
        fresh = bool(name) and (bool(identity) or index is None)
        if last and not (fresh and (identity != last.id or index is None) and last.name):
            return last
        if len(self._calls) >= MOST:
            raise ModelGarbled(f"more than {MOST} calls in one message", "ask again")
        self._calls.append(_OpenCall(identity, index))
        return self._calls[-1]

    def _count(self, chunk: Mapping[str, Any]) -> None:
        usage, timings = chunk.get("usage"), chunk.get("timings")
        if isinstance(timings, Mapping):  # llama.cpp, where usage may be missing
            cached = whole(timings.get("cache_n"))
            prompt = cached + whole(timings.get("prompt_n"))
            self.usage = ModelUsage(prompt, cached, whole(timings.get("predicted_n")))
        if isinstance(usage, Mapping):
            details = usage.get("prompt_tokens_details")
            cached = whole(details.get("cached_tokens")) if isinstance(details, Mapping) else 0
            self.usage = ModelUsage(
                whole(usage.get("prompt_tokens")),
                cached or self.usage.cached,
                whole(usage.get("completion_tokens")),
            )


def _decoded(event: bytes) -> Mapping[str, Any]:
    mended = event.decode("utf-8", "replace")
    try:
        chunk = msgspec.json.decode(mended)
    except (ValueError, RecursionError) as error:
        raise ModelGarbled(f"the server sent no JSON but {plain(mended)[:80]!r}") from error
    if not isinstance(chunk, Mapping):
        raise ModelGarbled(f"the server sent no chunk but {plain(mended)[:80]!r}")
    if "\ufffd" in mended and b"tool_calls" in event and not _is_utf8(event):
        raise ModelGarbled("the server sent a tool call with broken characters", "ask again")
    return chunk


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _first(choices: object) -> Mapping[str, Any]:
    first = choices[0] if isinstance(choices, Sequence) and choices else {}
    return first if isinstance(first, Mapping) else {}


def _text(value: object) -> str:
    """Return a text, also from content given in parts."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(_text(p.get("text")) for p in value if isinstance(p, Mapping))
    return ""
