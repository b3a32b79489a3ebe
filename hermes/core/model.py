"""What goes to a model and what comes back: the words of chat completions, no transport."""

from typing import Any, Literal

import msgspec

from hermes.core.ids import CallId
from hermes.core.message import ToolCall


class ToolSpec(msgspec.Struct, frozen=True):
    """A tool as offered to a model; `parameters` is a JSON schema (object)."""

    name: str
    description: str
    parameters: dict[str, Any]


class ChatMessage(msgspec.Struct, frozen=True):
    """One message as the model sees it.

    `calls` on an assistant message, their `arguments` byte for byte as generated; `call_id`
    and `name` on a tool message. `raw`: `content` is the generated text, in which the calls
    already stand, and `calls` stay out of the wire.
    """

    role: Literal["user", "assistant", "tool"]
    content: str
    calls: tuple[ToolCall, ...] = ()
    call_id: CallId = CallId("")
    name: str = ""
    raw: bool = False


class ModelRequest(msgspec.Struct, frozen=True):
    """One model call: one system block, then the conversation. `max_tokens` 0: the server's."""

    system: str
    messages: tuple[ChatMessage, ...]
    tools: tuple[ToolSpec, ...] = ()
    max_tokens: int = 0


class ModelUsage(msgspec.Struct, frozen=True):
    """Tokens of one call; `cached` is part of `prompt`. 0 where the server did not say."""

    prompt: int = 0
    cached: int = 0
    completion: int = 0


class Piece(msgspec.Struct, frozen=True):
    """Generated words, in order; `thought` marks reasoning that is not part of the answer."""

    text: str
    thought: bool = False


class Reply(msgspec.Struct, frozen=True):
    """The whole answer, after the last piece.

    `raw` is the generated text where calls had to be parsed out of it, else empty.
    `malformed` says why a started call could not be read; `calls` is then empty.
    """

    text: str
    calls: tuple[ToolCall, ...] = ()
    raw: str = ""
    malformed: str = ""
    finish: Literal["stop", "tool_calls", "length"] = "stop"
    usage: ModelUsage = ModelUsage()
