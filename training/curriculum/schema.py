"""Phrasings for any tool, from its schema: a new tool means new data without a line by hand.

They are plainer than the hand-written ones: the tool is named, or its description is, and every
required argument is said with its name, or in the schema's order. Optional ones come now and then.
"""

import random
from collections.abc import Iterator, Mapping, Sequence

from hermes.core.model import ToolSpec
from training.curriculum.frames import Answer, Call, Frame
from training.curriculum.values import lines

_KINDS = {
    "path": "path",
    "pattern": "pat",
    "command": "cmd",
    "content": "text",
    "query": "topic",
    "old": "a",
    "new": "b",
    "when": "when",
    "task": "task",
    "name": "word",
    "url": "url",
    "dir": "dir",
    "directory": "dir",
    "file": "path",
    "text": "text",
    "code": "ident",
}


def from_schema(tools: Sequence[ToolSpec], seed: int = 0, each: int = 24) -> Iterator[Frame]:
    """Make phrasings of calls: `each` for a tool, the same ones for the same seed."""
    rng = random.Random(seed)
    for tool in tools:
        for _ in range(each):
            yield _frame(rng, tool)


def _frame(rng: random.Random, tool: ToolSpec) -> Frame:
    arguments = _arguments(rng, tool.parameters)
    call = Call(tool.name, tuple(arguments.items()))
    named = tool.name if rng.random() < 0.75 else _spaced(tool.name)
    if not arguments:
        return Frame(rng.choice(lines("turns/bare.txt")).replace("{tool}", named), Answer((call,)))
    pair = rng.choice(lines("turns/pair.txt"))
    pairs = rng.choice((", ", " and ", "; ", " ")).join(
        pair.replace("{key}", key).replace("{value}", value) for key, value in arguments.items()
    )
    text = rng.choice(lines("turns/named.txt")).replace("{tool}", named).replace("{pairs}", pairs)
    return Frame(text, Answer((call,)))


def _spaced(name: str) -> str:
    """`FileRead` as somebody may write it: file read."""
    return "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()


def _arguments(rng: random.Random, schema: Mapping[str, object]) -> dict[str, str]:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return {}
    required = schema.get("required")
    needed = set(required) if isinstance(required, list) else set()
    used: dict[str, int] = {}
    found = {}
    for key, about in properties.items():
        if key in needed or rng.random() < 0.12:
            found[str(key)] = _value(str(key), about if isinstance(about, Mapping) else {}, used)
    return found


def _value(key: str, about: Mapping[str, object], used: dict[str, int]) -> str:
    match about.get("type"):
        case "integer":
            kind = "n"
        case "number":
            kind = "float"
        case "boolean":
            return "true"
        case _:
            kind = _KINDS.get(key, "phrase")
    used[kind] = used.get(kind, 0) + 1
    return f"{{{kind}{used[kind] if used[kind] > 1 else ''}}}"
