"""One message made shorter, so that what is left still reads as what it was.

Apart from the budget, which decides where. What a model wrote into a call stays valid JSON:
templates parse it.
"""

import msgspec

from hermes.core.message import ToolCall
from hermes.core.model import ChatMessage

_SLACK = 40  # characters that a note may add: below that nothing would be won


def shortened(message: ChatMessage, limit: int) -> ChatMessage:
    """Leave about `limit` characters of its words and of each argument of its calls."""
    content, raw = cut(message.content, limit), message.raw
    calls = tuple(_brief(call, limit) for call in message.calls)
    if raw and calls and content != message.content:
        content, raw = "", False  # half a call in a text is none; it stands in `calls`, whole
    if raw:
        calls = message.calls
    if (content, calls) == (message.content, message.calls):
        return message
    return msgspec.structs.replace(message, content=content, calls=calls, raw=raw)


def cut(text: str, limit: int) -> str:
    """Head and tail of a text that is longer than `limit` characters."""
    if len(text) <= limit + _SLACK:
        return text
    head = limit * 2 // 3
    return f"{text[:head]}\n[{len(text) - limit} characters left out]\n{text[head - limit :]}"


def _brief(call: ToolCall, limit: int) -> ToolCall:
    text = call.arguments
    if len(text) <= limit + _SLACK:
        return call
    left_out = msgspec.json.encode({"left_out": f"{len(text)} characters"}).decode()
    try:
        value = msgspec.json.decode(text, type=dict[str, object])
    except (ValueError, RecursionError):
        return msgspec.structs.replace(call, arguments=left_out)
    short = {k: cut(v, limit) if isinstance(v, str) else v for k, v in value.items()}
    written = msgspec.json.encode(short).decode()
    most = (limit + 2 * _SLACK) * max(1, len(value))
    small = written if len(written) < min(len(text), most) else left_out
    return msgspec.structs.replace(call, arguments=small)
