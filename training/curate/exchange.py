"""Exchanges: the turns of a stored conversation as chat messages, before anything is judged.

One exchange is one turn: what the person asked, the calls with their results, the answer.
Calls are numbered anew, because an id that was drawn at random teaches nothing.
"""

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import msgspec

from hermes.core.ids import TurnId
from hermes.core.message import Message, Text
from hermes.store.transcripts import Transcript, TurnFacts

Chat = dict[str, Any]
"""One message as trl and axolotl read it: role, content, tool_calls, tool_call_id, name."""


class Exchange(msgspec.Struct, frozen=True):
    """One turn; `unreadable` when a call's arguments are no JSON object."""

    turn: TurnId
    facts: TurnFacts
    messages: tuple[Chat, ...]
    failed_calls: bool
    denied_calls: bool
    unreadable: bool

    @property
    def request(self) -> str:
        """What the person said."""
        return "\n".join(m["content"] for m in self.messages if m["role"] == "user")

    def asked(self, request: str) -> "Exchange":
        """The same exchange with another request at its head."""
        first, *rest = self.messages
        return msgspec.structs.replace(self, messages=({**first, "content": request}, *rest))

    @property
    def answer(self) -> str:
        """The last thing that was said to the person."""
        last = self.messages[-1]
        return last["content"] if last["role"] == "assistant" and "tool_calls" not in last else ""

    @property
    def calls(self) -> list[tuple[str, str]]:
        """Name and arguments of each call."""
        return [
            (call["function"]["name"], json.dumps(call["function"]["arguments"], sort_keys=True))
            for message in self.messages
            for call in message.get("tool_calls", ())
        ]


def exchanges(transcript: Transcript) -> list[Exchange]:
    """Cut a transcript into its turns, in order."""
    return [
        _exchange(turn, list(messages), transcript.facts[turn])
        for turn, messages in groupby(transcript.messages, key=lambda message: message.turn)
    ]


def _exchange(turn: TurnId, messages: Sequence[Message], facts: TurnFacts) -> Exchange:
    numbers: dict[str, str] = {}
    chat: list[Chat] = []
    unreadable = False
    for message in messages:
        try:
            chat += _chat(message, numbers)
        except ValueError:
            unreadable = True
    results = [result for message in messages for result in message.results]
    return Exchange(
        turn,
        facts,
        tuple(chat),
        failed_calls=any(not result.ok and not result.denied for result in results),
        denied_calls=any(result.denied for result in results),
        unreadable=unreadable,
    )


def _chat(message: Message, numbers: dict[str, str]) -> list[Chat]:
    if message.role == "tool":
        return [
            {
                "role": "tool",
                "tool_call_id": numbers[result.call_id],
                "name": result.name,
                "content": result.text,
            }
            for result in message.results
            if _known(result.call_id, numbers)
        ]
    words = "\n".join(part.text for part in message.parts if isinstance(part, Text))
    said: Chat = {"role": message.role, "content": words}
    if message.calls:
        said["tool_calls"] = [
            {
                "id": numbers.setdefault(call.id, f"call_{len(numbers) + 1}"),
                "type": "function",
                "function": {"name": call.name, "arguments": _arguments(call.arguments)},
            }
            for call in message.calls
        ]
    return [said]


def _known(call: str, numbers: dict[str, str]) -> bool:
    if call not in numbers:
        raise ValueError("a result without its call")
    return True


def _arguments(text: str) -> dict[str, Any]:
    parsed = json.loads(text, parse_constant=_no_constant)
    if not isinstance(parsed, dict):
        raise ValueError("arguments are an object")  # noqa: TRY004 - one kind for all bad JSON
    return parsed


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
