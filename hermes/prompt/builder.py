"""From a stored conversation to one model request.

The one place that knows how the parts of a prompt stand together; it knows no provider.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from hermes.core.ids import TurnId
from hermes.core.message import Message, Text, ToolResult
from hermes.core.model import ChatMessage, ModelRequest, ToolSpec
from hermes.core.request import Profile
from hermes.prompt.budget import Cut, Scale, apply_cut, fit, size_of, taken
from hermes.prompt.sections import Section

_ANSWER_SHARE = 4  # a quarter of the window is kept free for the answer
_ANSWER_MOST = 4_096
_NOTHING: Mapping[TurnId, tuple[str, ...]] = MappingProxyType({})


class Prompt(msgspec.Struct, frozen=True):
    """A request and how it came about; `size` and `full_size` in bytes.

    `elided_results`, `dropped_turns`: what this cut takes away that the one before did not.
    `room`: what a window has for messages, `shown`: what of it they take.
    """

    request: ModelRequest
    cut: Cut
    size: int
    full_size: int
    elided_results: int
    dropped_turns: int
    room: int = 0
    shown: int = 0


class Frame(msgspec.Struct, frozen=True):
    """What stands around a conversation: the one system block's sections, and the tools.

    A `native` model knows the tools by weight: they take no room in its prompt. `recalled`:
    lines of memory that stand before the person's words, by turn.
    """

    sections: tuple[Section, ...]
    tools: tuple[ToolSpec, ...]
    profile: Profile = "full"
    recalled: Mapping[TurnId, tuple[str, ...]] = {}


def build(
    frame: Frame,
    history: Sequence[Message],
    *,
    window: int,
    scale: Scale,
    cut: Cut,
    offered: Cut | None = None,
) -> Prompt:
    """Build the request that a window can hold.

    Args:
        frame: what stands around the conversation.
        history: the conversation, oldest first.
        window: tokens that prompt and answer share.
        scale: bytes a token for this model.
        cut: what was shortened before; the result's cut is never smaller.
        offered: a cut that was prepared on that one.
    """
    system = "\n\n".join(section.text for section in frame.sections)
    messages = tuple(chat for message in history for chat in chat_messages(message, frame.recalled))
    drawn = () if frame.profile == "native" else frame.tools
    fixed = len(system.encode()) + len(msgspec.json.encode(drawn) if drawn else b"")
    answer = min(window // _ANSWER_SHARE, _ANSWER_MOST)
    room = int((window - answer) * scale.bytes_per_token) - fixed
    now = fit(messages, max(room, 1), offered or cut)
    shown = apply_cut(messages, now)
    taken_room = sum(map(size_of, shown))
    results, turns = taken(messages, cut, now)
    return Prompt(
        request=ModelRequest(system=system, messages=shown, tools=frame.tools, max_tokens=answer),
        cut=now,
        size=fixed + taken_room,
        full_size=fixed + sum(size_of(message) for message in messages),
        elided_results=results,
        dropped_turns=turns,
        room=max(room, 1),
        shown=taken_room,
    )


def chat_messages(
    message: Message, recalled: Mapping[TurnId, tuple[str, ...]] = _NOTHING
) -> tuple[ChatMessage, ...]:
    """One stored message as the model sees it: a tool message becomes one per result."""
    match message.role:
        case "user":
            lines = recalled.get(message.turn, ())
            return (ChatMessage("user", "\n".join((*lines, _words(message)))),)
        case "assistant":
            if message.raw:
                return (ChatMessage("assistant", message.raw, message.calls, raw=True),)
            return (ChatMessage("assistant", _words(message), message.calls),)
        case "tool":
            return tuple(_result(result) for result in message.results)
        case "system":
            return ()


def _words(message: Message) -> str:
    return "\n".join(part.text for part in message.parts if isinstance(part, Text))


def _result(result: ToolResult) -> ChatMessage:
    if not result.call_id:  # the answer to a call that could not be read has no id to hang on
        return ChatMessage("user", f"[{result.text}]", name="unreadable")
    return ChatMessage("tool", result.text, call_id=result.call_id, name=result.name)
