"""Messages: a role and parts, immutable, equal by content.

What a model generated stays byte for byte: `ToolCall.arguments` is the text that came.
"""

from typing import Literal

import msgspec

from hermes.core.canonical import Block, Value, decode, encode, link, unlink
from hermes.core.ids import CallId, Cid, ConversationId, NodeId, SessionId, TurnId

Role = Literal["user", "assistant", "tool", "system"]

MESSAGE_KIND = "hermes/message/1"


class Text(msgspec.Struct, frozen=True, tag="text"):
    """Words."""

    text: str


class ToolCall(msgspec.Struct, frozen=True, tag="tool_call"):
    """A model's wish; `arguments` is JSON text exactly as generated, perhaps invalid."""

    id: CallId
    name: str
    arguments: str


class ToolResult(msgspec.Struct, frozen=True, tag="tool_result"):
    """The answer to one call: plain text, already shortened."""

    call_id: CallId
    name: str
    text: str
    ok: bool = True
    denied: bool = False
    truncated: bool = False


Part = Text | ToolCall | ToolResult


class Message(msgspec.Struct, frozen=True):
    """One message of a conversation; `at` in ms UTC, `salt` hex text, `raw` the generated text.

    `raw` is set where the server gave calls as text: it is what goes back to the model.
    """

    conversation: ConversationId
    session: SessionId
    turn: TurnId
    role: Role
    parts: tuple[Part, ...]
    at: int
    node: NodeId
    salt: str
    parents: tuple[Cid, ...] = ()
    raw: str = ""

    @property
    def text(self) -> str:
        """All words of the message: text and results, one under the other."""
        return "\n".join(p.text for p in self.parts if not isinstance(p, ToolCall))

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The tool calls, in order."""
        return tuple(p for p in self.parts if isinstance(p, ToolCall))

    @property
    def results(self) -> tuple[ToolResult, ...]:
        """The tool results, in order."""
        return tuple(p for p in self.parts if isinstance(p, ToolResult))


def block_of(message: Message) -> Block:
    """The message's canonical block."""
    fields: dict[str, Value] = msgspec.to_builtins(message)
    fields["parts"] = [msgspec.to_builtins(part) for part in message.parts]
    fields["parents"] = [link(cid) for cid in message.parents]
    fields["t"] = MESSAGE_KIND
    return encode(fields)


def message_of(data: bytes) -> Message:
    """Read a message back from its block; raises ValueError when the bytes are none."""
    fields = decode(data)
    if not isinstance(fields, dict) or fields.get("t") != MESSAGE_KIND:
        raise ValueError("not a message block")
    parents = fields.pop("parents", [])
    if not isinstance(parents, list):
        raise ValueError("not a message block")  # noqa: TRY004 - bad bytes, not a bad type
    links: list[Value] = [unlink(raw) for raw in parents if isinstance(raw, bytes)]
    try:
        return msgspec.convert(fields | {"parents": links}, Message)
    except msgspec.ValidationError as error:
        raise ValueError(f"not a message block: {error}") from error
