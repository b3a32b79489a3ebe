"""Calls written between tags: Hermes, Qwen3-Coder, GLM and Gemma.

Each reader starts right behind its marker and says where the call ends.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from hermes.models.calls_json import MOST, Call, Read, encoded, read_objects
from hermes.models.loose import Loose, Unreadable

Schemas = Mapping[str, Mapping[str, Any]]
"""Names of the offered tools, each with the JSON schema of its arguments."""

_PARAMETERS = 64
_BEFORE = 200  # characters that tell whether a marker stands in a sentence
_OPENING = re.compile(r"\s*(?:```\w*\s*)?")
_CLOSING = re.compile(r"\s*(?:```\s*)?(?:</tool_call>|<tool_call\|>|<end_function_call>)")
_FUNCTION = re.compile(r"\s*<function=\s*[\"']?([^\s>\"']{1,128})[\"']?\s*>")
_FUNCTION_BODY = re.compile(_FUNCTION.pattern + r"\s*(?:<parameter=|</function>|</tool_call>|\Z)")
_PARAMETER = re.compile(r"\s*<parameter=\s*[\"']?([^\s>\"']{1,128})[\"']?\s*>")
_PARAMETER_END = re.compile(r"</parameter>(?=\s*(?:<parameter=|</function>|</tool_call>|\Z))")
_PARAMETER_STOP = re.compile(r"\n<parameter=|</function>|</tool_call>")
_FUNCTION_END = re.compile(r"\s*</function>")
_GLM_NAME = re.compile(r"\s*([A-Za-z_][\w.-]{0,127})\s*(?=<arg_key>|</tool_call>)")
_GLM_PAIR = re.compile(r"\s*<arg_key>\s*([^<]{1,128}?)\s*</arg_key>\s*<arg_value>")
_GLM_END = "</arg_value>"
_GEMMA = re.compile(r"\s*call:\s*([A-Za-z_][\w.:-]{0,127}?)\s*(?=\{)")


def read_tag(text: str, start: int, schemas: Schemas) -> Read | None:
    """Read the calls of the marker at `start`; None where it is only talked about.

    Raises Unreadable where a call was begun and can't be read.
    """
    pos, bodies = start, _BARE_BODIES
    if not text.startswith("<function=", start):
        pos, bodies = text.index(">", start) + 1, _BODIES
        body = _OPENING.match(text, pos)
        pos = body.end() if body else pos
    for seems, read in bodies:
        if seems.match(text, pos):
            return _close(text, read(text, pos, schemas))
    if text[max(0, start - _BEFORE) : start].rpartition("\n")[2].strip():
        return None  # in the middle of a sentence
    raise Unreadable("no tool's name and arguments follow the marker")


def _close(text: str, read: Read) -> Read:
    closing = _CLOSING.match(text, read.end)
    return Read(read.calls, closing.end() if closing else read.end, read.closed)


def _hermes(text: str, pos: int, _schemas: Schemas) -> Read:
    return read_objects(text, pos)


def _function(text: str, pos: int, schemas: Schemas) -> Read:
    """`<function=NAME>`, then `<parameter=KEY>` value `</parameter>` …, `</function>`."""
    opened = _FUNCTION.match(text, pos)
    if not opened:
        raise Unreadable("the function has no name")
    pos, closed = opened.end(), True
    values: dict[str, Any] = {}
    while key := _PARAMETER.match(text, pos):
        if len(values) >= _PARAMETERS:
            raise Unreadable("too many parameters")
        value, pos = _parameter(text, key.end())
        values[key[1]] = _typed(value, opened[1], key[1], schemas)
    if end := _FUNCTION_END.match(text, pos):
        pos = end.end()
    elif text[pos:].strip() and not _CLOSING.match(text, pos):
        raise Unreadable("</function> is missing")
    else:
        closed = False
    return Read([Call(opened[1], encoded(values))], pos, closed)


def _parameter(text: str, start: int) -> tuple[str, int]:
    """A value may hold any text, also the tags' own words; its end is what fits best."""
    if end := _PARAMETER_END.search(text, start):
        stop = end.start(), end.end()
    elif early := _PARAMETER_STOP.search(text, start):
        stop = early.start(), early.start()
    else:
        raise Unreadable("a parameter is not closed")
    return text[start : stop[0]].removeprefix("\n").removesuffix("\n"), stop[1]


def _glm(text: str, pos: int, schemas: Schemas) -> Read:
    """`NAME`, then `<arg_key>` key `</arg_key><arg_value>` value `</arg_value>` …."""
    name = _GLM_NAME.match(text, pos)
    assert name
    pos = name.end()
    values: dict[str, Any] = {}
    while pair := _GLM_PAIR.match(text, pos):
        end = text.find(_GLM_END, pair.end())
        if end < 0 or len(values) >= _PARAMETERS:
            raise Unreadable("a parameter is not closed")
        values[pair[1]] = _typed(text[pair.end() : end], name[1], pair[1], schemas)
        pos = end + len(_GLM_END)
    return Read([Call(name[1], encoded(values))], pos, bool(_CLOSING.match(text, pos)))


def _gemma(text: str, pos: int, _schemas: Schemas) -> Read:
    """`call:NAME{key:<|"|>value<|"|>, …}`, several one after the other."""
    calls: list[Call] = []
    closed = True
    while (name := _GEMMA.match(text, pos)) and closed:
        if len(calls) >= MOST:
            raise Unreadable(f"more than {MOST} calls in one message")
        loose = Loose(text, name.end())
        calls.append(Call(name[1], encoded(loose.pairs("{", "}", ":"))))
        pos, closed = loose.pos, loose.closed
    return Read(calls, pos, closed)


def _typed(value: str, name: str, key: str, schemas: Schemas) -> Any:  # noqa: ANN401 - JSON
    """A parameter's text as its schema wants it; text where that is wanted or unknown."""
    properties = schemas.get(name, {}).get("properties", {})
    schema = properties.get(key, {}) if isinstance(properties, Mapping) else {}
    kind = schema.get("type", "string") if isinstance(schema, Mapping) else "string"
    if kind == "string":
        return value
    if kind == "boolean":
        value = value.strip().lower()
    try:
        return msgspec.json.decode(value.strip())
    except (ValueError, RecursionError):
        return value


_Bodies = tuple[tuple[re.Pattern[str], Callable[[str, int, Schemas], Read]], ...]
_BARE_BODIES: _Bodies = ((_FUNCTION_BODY, _function),)
_BODIES: _Bodies = (
    (re.compile(r"[{\[]"), _hermes),
    *_BARE_BODIES,
    (_GEMMA, _gemma),
    (_GLM_NAME, _glm),
)
