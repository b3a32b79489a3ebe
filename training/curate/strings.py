"""The texts inside chat messages: taken out for scrubbing, and put back in the same order."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hermes.scrub.scrub import Piece
from training.curate.exchange import Chat

Change = Callable[[str], str]

_LONG_NUMBER = 10**8
"""From here on a number may be a card or a telephone."""


def pieces(messages: Sequence[Chat]) -> list[Piece]:
    """Every text of the messages, in the order in which `changed` asks for them."""
    found: list[Piece] = []
    for message in messages:
        prose = message["role"] == "user"

        def take(text: str, prose: bool = prose) -> str:  # noqa: FBT001 - binds the loop's
            found.append(Piece(text, prose))
            return text

        _message(message, take)
    return found


def context(messages: Sequence[Chat]) -> Iterator[Piece]:
    """Each call's arguments as one text: a name gives away the value beside it."""
    for message in messages:
        for call in message.get("tool_calls", ()):
            yield Piece(json.dumps(call["function"]["arguments"], ensure_ascii=False))


def changed(messages: Sequence[Chat], texts: Iterator[str]) -> list[Chat]:
    """The messages with other texts."""
    return [_message(message, lambda _: next(texts)) for message in messages]


def _message(message: Chat, change: Change) -> Chat:
    new = {**message, "content": change(message["content"])}
    if "name" in message:
        new["name"] = change(message["name"])
    if "tool_calls" in message:
        new["tool_calls"] = [_call(call, change) for call in message["tool_calls"]]
    return new


def _call(call: dict[str, Any], change: Change) -> dict[str, Any]:
    function = call["function"]
    name = change(function["name"])
    return {**call, "function": {"name": name, "arguments": _value(function["arguments"], change)}}


def _value(value: Any, change: Change) -> Any:  # noqa: ANN401 - any JSON
    match value:
        case str():
            return change(value)
        case bool() | None:
            return value
        case int() if abs(value) >= _LONG_NUMBER:
            new = change(str(value))
            return int(new) if new.isdecimal() else new if new != str(value) else value
        case list():
            return [_value(item, change) for item in value]
        case dict():
            return {change(key): _value(item, change) for key, item in value.items()}
        case _:
            return value
