"""Messages in OpenAI's shape, from files and from the curriculum, as the one client takes them.

Read tolerantly: calls plain or wrapped in `function`, arguments as an object or as its text.
"""

from collections.abc import Mapping, Sequence

import msgspec

from hermes.core.event import Json
from hermes.core.ids import CallId
from hermes.core.message import ToolCall
from hermes.core.model import ChatMessage


class NoMessages(ValueError):
    """What should be messages, or a case, is none; says why."""


def chat_of(messages: Sequence[Mapping[str, object]]) -> tuple[str, tuple[ChatMessage, ...]]:
    """The system text (empty without one) and the messages; raises NoMessages."""
    system: list[str] = []
    chat: list[ChatMessage] = []
    open_calls: list[ToolCall] = []
    for number, message in enumerate(messages):
        role, content = message.get("role"), message.get("content") or ""
        if not isinstance(content, str):
            raise NoMessages(f"message {number + 1}: its content is no text")
        match role:
            case "system":
                system.append(content)
            case "user":
                chat.append(ChatMessage("user", content))
            case "assistant":
                open_calls = calls_of(message.get("tool_calls") or [], number)
                chat.append(ChatMessage("assistant", content, tuple(open_calls)))
            case "tool":
                chat.append(_result(message, content, open_calls))
            case _:
                raise NoMessages(f"message {number + 1}: unknown role {role!r}")
    return "\n".join(system), tuple(chat)


def calls_of(value: object, number: int = 0) -> list[ToolCall]:
    """Calls of the assistant's message of this number; raises NoMessages."""
    if not isinstance(value, list | tuple):
        raise NoMessages(f"message {number + 1}: tool_calls is no list")
    return [_call(item, f"call_{number}_{place}") for place, item in enumerate(value)]


def arguments_of(call: ToolCall) -> dict[str, Json] | None:
    """A call's arguments; None where they are no JSON object."""
    try:
        value = msgspec.json.decode(call.arguments or "{}")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _call(item: object, identity: str) -> ToolCall:
    inner = item.get("function", item) if isinstance(item, dict) else None
    name = inner.get("name") if isinstance(inner, dict) else None
    if not isinstance(inner, dict) or not isinstance(name, str):
        raise NoMessages("a call names no tool")
    given = inner.get("arguments", {})
    text = given if isinstance(given, str) else msgspec.json.encode(given).decode()
    return ToolCall(CallId(identity), name, text)


def _result(message: Mapping[str, object], content: str, open_calls: list[ToolCall]) -> ChatMessage:
    """A tool's answer: to the first call that none was given for yet."""
    if open_calls:
        call = open_calls.pop(0)
        return ChatMessage("tool", content, call_id=call.id, name=call.name)
    return ChatMessage("tool", content, call_id=CallId("call"), name=str(message.get("name", "")))
