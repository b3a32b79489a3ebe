"""A request as bytes: the body of a chat completion.

Deterministic, and stable in its prefix: a longer conversation's `messages` begin with the
shorter one's bytes, so that the server's prompt cache holds. Foreign text is neutralised
here, once, in every role.
"""

from typing import Any

import msgspec

from hermes.core.model import ChatMessage, ModelRequest, ToolSpec
from hermes.models.hygiene import Hygiene
from hermes.models.server import Server

_DEPTH = 16  # of a tool's schema
_REMEMBERED = 4 * 1024 * 1024  # bytes of messages whose bytes are kept for the next step


class Wire:
    """Writes requests for one server."""

    def __init__(self, server: Server, hygiene: Hygiene) -> None:
        self._server = server
        self._hygiene = hygiene
        self._tools: tuple[ToolSpec, ...] = ()
        self._drawn = msgspec.Raw(b"[]")
        self._written: dict[ChatMessage, msgspec.Raw] = {}
        self._remembered = 0

    def body(self, request: ModelRequest) -> bytes:
        """Write a chat completion's body."""
        body = {"model": self._server.model, **self._prompt(request)}
        body |= {"stream": True, "stream_options": {"include_usage": True}, "temperature": 0}
        if request.max_tokens > 0:
            body["max_tokens"] = request.max_tokens
        if self._server.embedded:
            body["cache_prompt"] = True
        return msgspec.json.encode(body)

    def template(self, request: ModelRequest) -> bytes:
        """Write the body of llama.cpp's `/apply-template`."""
        return msgspec.json.encode(self._prompt(request))

    def _prompt(self, request: ModelRequest) -> dict[str, Any]:
        messages: list[Any] = [self._known(message) for message in request.messages]
        if request.system:
            system = self._hygiene.neutralise(request.system)
            messages.insert(0, {"role": "system", "content": system})
        prompt: dict[str, Any] = {"messages": messages}
        if request.tools:
            if request.tools != self._tools:
                self._tools, self._drawn = request.tools, self._draw(request.tools)
            prompt["tools"] = self._drawn
        return prompt

    def _draw(self, tools: tuple[ToolSpec, ...]) -> msgspec.Raw:
        """The tools as bytes: the same at every step, and a third of what a request costs."""
        clean = self._hygiene.neutralise
        drawn = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": clean(tool.description),
                    "parameters": self._cleaned(tool.parameters),
                },
            }
            for tool in tools
        ]
        return msgspec.Raw(msgspec.json.encode(drawn))

    def _known(self, message: ChatMessage) -> msgspec.Raw:
        """A message as bytes, from the step before where it was there."""
        written = self._written.get(message)
        if written is None:
            written = msgspec.Raw(msgspec.json.encode(self._message(message)))
            size = len(bytes(written))
            if self._remembered + size > _REMEMBERED:
                self._written.clear()
                self._remembered = 0
            self._written[message] = written
            self._remembered += size
        return written

    def _message(self, message: ChatMessage) -> dict[str, Any]:
        match message.role:
            case "user":
                return {"role": "user", "content": self._hygiene.neutralise(message.content)}
            case "tool":
                clean = self._hygiene.neutralise
                named = {"name": clean(message.name)} if message.name else {}
                wire = {"role": "tool", "tool_call_id": clean(message.call_id), **named}
                return wire | {"content": clean(message.content)}
            case "assistant":
                return self._assistant(message)

    def _assistant(self, message: ChatMessage) -> dict[str, Any]:
        content = self._hygiene.neutralise_own(message.content)
        wire: dict[str, Any] = {"role": "assistant", "content": content}
        if message.calls and not message.raw:
            wire["tool_calls"] = [
                {
                    "id": self._hygiene.neutralise(call.id),
                    "type": "function",
                    "function": {
                        "name": self._hygiene.neutralise(call.name),
                        "arguments": self._arguments(call.arguments),
                    },
                }
                for call in message.calls
            ]
        return wire

    def _arguments(self, text: str) -> str:
        r"""The stored text, byte for byte, but for control tokens and what is no JSON object.

        Templates read the arguments: an escape like `\u003c` would come out as a token, and
        llama.cpp refuses the whole conversation for one call that is no JSON.
        """
        try:
            value = msgspec.json.decode(text)
        except (ValueError, RecursionError):
            return msgspec.json.encode({"unreadable": self._hygiene.neutralise(text)}).decode()
        if not isinstance(value, dict):
            return msgspec.json.encode({"unreadable": self._hygiene.neutralise(text)}).decode()
        if "\\" in text:
            written = msgspec.json.encode(value).decode()
            clean = self._hygiene.neutralise(written)
            if clean != written and self._hygiene.neutralise(text) == text:
                return clean
        return self._hygiene.neutralise(text)

    def _cleaned(self, value: Any, depth: int = 0) -> Any:  # noqa: ANN401 - JSON
        if isinstance(value, str):
            return self._hygiene.neutralise(value)
        if isinstance(value, dict) and depth < _DEPTH:
            return {
                self._hygiene.neutralise(str(key)): self._cleaned(inner, depth + 1)
                for key, inner in value.items()
            }
        if isinstance(value, list | tuple) and depth < _DEPTH:
            return [self._cleaned(inner, depth + 1) for inner in value]
        return value if depth < _DEPTH else None
