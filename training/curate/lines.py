"""Lines of a curated set, and their way back to what the trainer reads.

One line is `{"messages": [...]}`, with `tools` where they were asked for: the conversational
form of trl and axolotl.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hermes.errors import Usage
from training.curate.exchange import Chat
from training.curate.options import Options

_ROLES = {"system", "user", "assistant", "tool"}


def lines(turns: Sequence[Sequence[Chat]], options: Options) -> tuple[list[dict[str, Any]], int]:
    """Pack turns, in order, into lines of at most `longest` characters.

    Returns the lines and how many turns were too long for any.
    """
    packed: list[list[Chat]] = []
    room = too_long = 0
    for turn in turns:
        size = sum(len(json.dumps(message, ensure_ascii=False)) for message in turn)
        if size > options.longest:
            too_long += 1
            continue
        if size > room:
            packed.append([])
            room = options.longest
        packed[-1] += turn
        room -= size
    more: dict[str, Any] = {}
    if options.tools:
        more["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                },
            }
            for tool in options.tools
        ]
    as_text = options.arguments == "text"
    return [{"messages": _numbered(line, as_text=as_text), **more} for line in packed], too_long


def read_lines(path: Path) -> Iterator[list[Chat]]:
    """The conversations of a chat-format file, ours or another's, as `training.chat` reads them.

    Takes arguments as object or as JSON text, `content` null, and OpenAI's `weight` 0 and
    axolotl's `train` false as "no loss on this". Raises Usage, naming file and line.
    """
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _conversation(line, f"{path}, line {number}")
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(f"cannot read {path}: {error}", "name a JSONL file in chat format") from error


def _conversation(line: str, where: str) -> list[Chat]:
    try:
        messages = [_read(message) for message in json.loads(line)["messages"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Usage(
            f"{where} is no conversation: {error}", 'each line is {"messages": [...]}'
        ) from error
    if not messages:
        raise Usage(f"{where} is no conversation: it has no messages")
    return messages


def _read(message: dict[str, Any]) -> Chat:
    role = message["role"]
    if role not in _ROLES:
        raise ValueError(f"there is no role {role!r}")
    content = message.get("content") or ""
    if not isinstance(content, str):
        raise TypeError("content is text")
    read: Chat = {"role": role, "content": content}
    for key in ("name", "tool_call_id"):
        if message.get(key):
            read[key] = message[key]
    if calls := message.get("tool_calls"):
        read["tool_calls"] = [_read_call(call) for call in calls]
    if message.get("weight") == 0 or message.get("train") is False:
        read["loss"] = False
    return read


def _read_call(call: dict[str, Any]) -> dict[str, Any]:
    inner = call.get("function") or call
    arguments = inner["arguments"]
    if isinstance(arguments, str):
        arguments = json.loads(arguments)
    if not isinstance(arguments, dict):
        raise TypeError("a call's arguments are an object")
    function = {"name": str(inner["name"]), "arguments": arguments}
    return {"id": str(call.get("id") or ""), "type": "function", "function": function}


def _numbered(messages: Sequence[Chat], *, as_text: bool) -> list[Chat]:
    """Call ids are unique in a line: turns number their own from 1."""
    numbers: dict[str, str] = {}
    count = 0
    result: list[Chat] = []
    for message in messages:
        new = dict(message)
        if message["role"] == "user":
            numbers = {}
        if calls := message.get("tool_calls"):
            new["tool_calls"] = []
            for call in calls:
                count += 1
                numbers[call["id"]] = f"call_{count}"
                function = dict(call["function"])
                if as_text:
                    function["arguments"] = json.dumps(function["arguments"], ensure_ascii=False)
                new["tool_calls"].append({**call, "id": f"call_{count}", "function": function})
        if "tool_call_id" in message:
            new["tool_call_id"] = numbers[message["tool_call_id"]]
        result.append(new)
    return result
