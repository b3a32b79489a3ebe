"""Calls written as JSON: Hermes objects, OpenAI's `tool_calls`, with arguments kept as text.

Valid JSON keeps its arguments byte for byte; what had to be mended is written anew.
"""

import json
import re
from typing import NamedTuple

import msgspec

from hermes.models.loose import Loose, Unreadable

MOST = 64
"""Calls that one message may hold."""

_ARGUMENTS = ("arguments", "parameters", "args")
_NAMES = ("name", "function", "tool")
_DECODER = json.JSONDecoder(strict=False)
_BETWEEN = re.compile(r"[\s;,]*(?=\{)")


class Call(NamedTuple):
    """A call as read: `arguments` is the JSON text of an object."""

    name: str
    arguments: str


class Read(NamedTuple):
    """Calls, where they end, and whether nothing was missing at the end."""

    calls: list[Call]
    end: int
    closed: bool = True


def read_objects(text: str, pos: int) -> Read:
    """Read the objects, or the list of objects, that begin here; raises Unreadable."""
    read = _one(text, pos)
    calls, closed = read.calls, read.closed
    while (more := _BETWEEN.match(text, read.end)) and read.closed:
        read = _one(text, more.end())
        calls, closed = calls + read.calls, read.closed
        if len(calls) > MOST:
            raise Unreadable(f"more than {MOST} calls in one message")
    return Read(calls, read.end, closed)


def _one(text: str, pos: int) -> Read:
    try:
        _, end = _DECODER.raw_decode(text, pos)
        data = text[pos:end].encode()
        return Read(_interpret(data), end)
    except (ValueError, RecursionError):  # no JSON, or not msgspec's: read it forgivingly
        loose = Loose(text, pos)
        value = loose.value()
        calls = _interpret(encoded(value).encode())
        if not loose.closed and not any(key in text[pos : loose.pos] for key in _ARGUMENTS):
            raise Unreadable("it breaks off before its arguments") from None
        return Read(calls, loose.pos, loose.closed)


def encoded(value: object) -> str:
    """Write a value as JSON text."""
    return msgspec.json.encode(value).decode()


def _interpret(data: bytes) -> list[Call]:
    """Find the calls in a JSON object, or in a list of them."""
    if data[:1] == b"[":
        items = msgspec.json.decode(data, type=list[msgspec.Raw])
        if len(items) > MOST:
            raise Unreadable(f"more than {MOST} calls in one message")
        return [call for item in items for call in _interpret(bytes(item))]
    try:
        fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError as error:
        raise Unreadable("a call is an object with a name and arguments") from error
    for key in ("tool_calls", "function"):
        if bytes(fields.get(key, b""))[:1] in (b"[", b"{"):
            return _interpret(bytes(fields[key]))
    name = next((fields[key] for key in _NAMES if key in fields), msgspec.Raw(b"0"))
    if bytes(name)[:1] != b'"':
        raise Unreadable("the call has no name")
    given = next((fields[key] for key in _ARGUMENTS if key in fields), None)
    return [Call(msgspec.json.decode(name, type=str), arguments_of(given))]


def arguments_of(given: msgspec.Raw | None) -> str:
    """Return the text of an arguments object, also where it came inside a string."""
    text = "{}" if given is None else bytes(given).decode()
    if text[:1] == '"':
        text = msgspec.json.decode(text, type=str).strip()
    if text in ("", "null"):
        return "{}"
    if not text.startswith("{"):
        raise Unreadable("the arguments are no object")
    try:
        msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (ValueError, RecursionError):
        return encoded(Loose(text).value())
    return text
