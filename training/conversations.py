"""Reads conversations to learn from: JSON lines in the chat format that trl and axolotl read.

A line is `{"messages": [{"role", "content", "tool_calls"?}, …], "tools"?: […]}`; other keys are
left alone. A line that is none is an error with its file and number: nothing is skipped silently.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hermes.core.event import Json
from hermes.errors import DataInvalid
from training.chat import Message

LONGEST_LINE = 8 << 20
_ESCAPED = re.compile(rb"\\u[dD]")
_ROLES = ("system", "user", "assistant", "tool")
_MOST_MESSAGES = 10_000
_REMEDY = 'a line is {"messages": [{"role": "user", "content": "…"}, …]}'


@dataclass(frozen=True)
class Conversation:
    """Messages, the tools that were offered in them, and file and line."""

    messages: tuple[Message, ...]
    tools: tuple[Json, ...] = ()
    where: str = ""


def read_conversations(paths: Sequence[Path]) -> list[Conversation]:
    """Read every line of every file; raises DataInvalid naming file and line."""
    found = [one for path in paths for one in _read(path)]
    if not found:
        names = ", ".join(map(str, paths)) or "no file"
        raise DataInvalid(f"there is no conversation in {names}", _REMEDY)
    return found


def _read(path: Path) -> Iterator[Conversation]:
    if path.exists() and not path.is_file():  # a pipe would block, a device never end
        raise DataInvalid(f"{path} is no regular file")
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(LONGEST_LINE + 1):
                number += 1
                if line.strip():
                    yield parse(line, f"{path}:{number}")
    except OSError as error:
        raise DataInvalid(f"{path} cannot be read: {error.strerror}") from error


def parse(line: bytes, where: str) -> Conversation:
    """Read one line; raises DataInvalid that begins with `where`."""
    if len(line) > LONGEST_LINE:
        raise DataInvalid(f"{where}: the line is longer than {LONGEST_LINE >> 20} MiB")
    try:
        given = _object(json.loads(line.decode("utf-8-sig"), parse_constant=_refuse))
        if _ESCAPED.search(line):
            _check(given)
        return Conversation(_messages(given.get("messages")), _tools(given.get("tools")), where)
    except (ValueError, TypeError, RecursionError) as error:
        raise DataInvalid(f"{where}: {error}", _REMEDY) from error


def _object(given: object) -> Mapping[str, object]:
    if not isinstance(given, dict):
        raise TypeError("no JSON object")
    return given


def _messages(given: object) -> tuple[Message, ...]:
    if not isinstance(given, list) or not 0 < len(given) <= _MOST_MESSAGES:
        raise ValueError("`messages` is no list of messages")
    found = tuple(_message(item, number) for number, item in enumerate(given, 1))
    if not any(message["role"] == "assistant" for message in found):
        raise ValueError("there is no answer to learn from")
    return found


def _message(given: object, number: int) -> Message:
    if not isinstance(given, dict) or given.get("role") not in _ROLES:
        raise ValueError(f"message {number} has no role of {', '.join(_ROLES)}")
    content = given.get("content")
    if not isinstance(content, str | None):
        raise TypeError(f"message {number}: its content is no text")
    found: dict[str, object] = {"role": given["role"], "content": content or ""}
    if given["role"] != "assistant":
        return found | ({"name": given["name"]} if isinstance(given.get("name"), str) else {})
    calls = given.get("tool_calls") or []
    if not isinstance(calls, list):
        raise TypeError(f"message {number}: its tool_calls are no list")
    if calls:
        found["tool_calls"] = [_call(call, number) for call in calls]
    elif not found["content"]:
        raise ValueError(f"message {number}: an answer without text or call")
    if given.get("loss") is False:
        found["loss"] = False
    return found


def _call(given: object, number: int) -> Mapping[str, object]:
    inner = given.get("function", given) if isinstance(given, dict) else None
    if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
        raise TypeError(f"message {number}: a call names no tool")
    arguments = inner.get("arguments", {})
    if isinstance(arguments, str):
        arguments = json.loads(arguments or "{}", parse_constant=_refuse)
    if not isinstance(arguments, dict):
        raise TypeError(f"message {number}: a call's arguments are no object")
    return {"name": inner["name"], "arguments": arguments}


def _tools(given: object) -> tuple[Json, ...]:
    if isinstance(given, str):  # trl writes them as JSON text, too
        given = json.loads(given or "[]", parse_constant=_refuse)
    if not isinstance(given, list | None):
        raise TypeError("`tools` is no list")
    return tuple(given or ())


def _check(given: object) -> None:
    """Refuse a lone surrogate, which no tokenizer takes."""
    try:
        json.dumps(given, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"a text is no Unicode: {error.reason}") from error


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is no JSON")
