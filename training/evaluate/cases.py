"""Cases: a conversation up to the request, and the answers that are right. Read from JSON lines.

`{"user", "tool", "args", "accept"}`: `tool` null, "" or "none" where no call is due; lists of
tools and args for several calls in any order; `accept` further right answers, as calls or as args
for the same tool. `{"messages", "accept"}`: words, one of which the answer must contain.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from hermes.core.event import Json
from hermes.core.model import ChatMessage
from hermes.errors import Usage
from training.evaluate.messages import NoMessages, chat_of

NO_CALL = "none"
ANSWER = "answer"
PARALLEL = "parallel"
_NONE = (None, "", NO_CALL, "null")
_MOST_BYTES = 64 << 20


class Call(msgspec.Struct, frozen=True):
    """A call that would be right."""

    tool: str
    args: dict[str, Json]


Calls = tuple[Call, ...]


class Case(msgspec.Struct, frozen=True):
    """One question to a model.

    `accept`: each a set of calls that is right, the empty one where no call is due. `words`: the
    answer must hold one of them; `said`: or be exactly this. `where`: file and line, or the seed.
    """

    messages: tuple[ChatMessage, ...]
    accept: tuple[Calls, ...] = ((),)
    words: tuple[str, ...] = ()
    said: str = ""
    system: str = ""
    where: str = ""

    @property
    def intent(self) -> str:
        """What it is counted under: the tool, `parallel`, `none`, or `answer` and the tool."""
        if self.words or self.said:
            return f"{ANSWER} {self.messages[-1].name}".strip()
        first = self.accept[0]
        if len(first) > 1:
            return PARALLEL
        return first[0].tool if first else NO_CALL

    @property
    def asked(self) -> str:
        """The last message: what the model answers."""
        return self.messages[-1].content


class BadCases(Usage):
    """A line of a file of cases is none; names file and line."""


def read_cases(path: Path) -> list[Case]:
    """Read a file of cases; raises BadCases. Blocking."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BadCases(f"{path} is larger than {_MOST_BYTES >> 20} MiB")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadCases(f"{path} is no UTF-8 text") from error
    except OSError as error:
        raise BadCases(f"{path} cannot be read: {error.strerror}") from error
    return parse_cases(text, str(path))


def parse_cases(text: str, name: str) -> list[Case]:
    """Read the lines of a file of cases; raises BadCases."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"{name}:{number}"
        try:
            found.append(_case(msgspec.json.decode(line), where))
        except (ValueError, RecursionError) as error:
            remedy = 'write it as {"user": …, "tool": …, "args": {…}}'
            raise BadCases(f"{where}: {error}", remedy) from error
    if not found:
        raise BadCases(f"{name} holds no case")
    return found


def _case(line: object, where: str) -> Case:
    if not isinstance(line, dict):
        raise NoMessages("no JSON object")
    system, messages = _messages(line)
    accept = line.get("accept")
    if "tool" not in line:
        return Case(messages, words=_words(accept), system=system, where=where)
    expected = _calls(line["tool"], line.get("args"))
    more = tuple(_accepted(item, expected) for item in _listed(accept))
    return Case(messages, (expected, *more), system=system, where=where)


def _messages(line: Mapping[str, object]) -> tuple[str, tuple[ChatMessage, ...]]:
    match line:
        case {"messages": list(messages)} if all(isinstance(item, dict) for item in messages):
            system, chat = chat_of(messages)
        case {"user": str(text)} if text.strip():
            system, chat = "", (ChatMessage("user", text),)
        case _:
            raise NoMessages("it has neither a text `user` nor a list `messages`")
    if not chat or chat[-1].role == "assistant":
        raise NoMessages("its last message must be a person's or a tool's")
    return system, chat


def _words(accept: object) -> tuple[str, ...]:
    words = tuple(word for word in _listed(accept) if isinstance(word, str) and word)
    if not words or len(words) != len(_listed(accept)):
        raise NoMessages("without `tool`, `accept` lists words of which the answer holds one")
    return words


def _calls(tool: object, args: object) -> Calls:
    """Expected calls; raises NoMessages."""
    given = args if isinstance(args, list) else [args]
    tools = tool if isinstance(tool, list) else [tool] * max(1, len(given))
    if all(name in _NONE for name in tools):
        return ()
    if args and len(given) != len(tools):
        raise NoMessages(f"{len(tools)} tools and {len(given)} args")
    return tuple(_call(name, given[place] if args else None) for place, name in enumerate(tools))


def _call(tool: object, args: object) -> Call:
    if not isinstance(tool, str) or not isinstance(args, dict | None):
        raise NoMessages(f"no call: tool {tool!r}, args {args!r}")
    return Call(tool, args or {})


def _accepted(item: object, expected: Calls) -> Calls:
    """One further right answer; raises NoMessages."""
    match item:
        case {"tool": tool, **rest} if rest.keys() <= {"args"}:
            return _calls(tool, rest.get("args"))
        case dict() if expected:
            return (Call(expected[0].tool, item),)
        case list() if all(isinstance(part, dict) for part in item):
            names = (call.tool for call in expected)
            return tuple(_one(part, names) for part in item)
        case None:
            return ()
    raise NoMessages(f"`accept` has no call but {str(item)[:60]!r}")


def _one(part: Mapping[str, object], names: Iterator[str]) -> Call:
    name = next(names, "")
    return _call(part["tool"], part.get("args")) if "tool" in part else _call(name, dict(part))


def _listed(value: object) -> Sequence[object]:
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def spread(cases: Sequence[Case], limit: int, key: Callable[[Case], str]) -> list[Case]:
    """At most `limit` cases (0: all), taken in turn from each group, in their order."""
    if not limit or limit >= len(cases):
        return list(cases)
    groups: dict[str, list[int]] = {}
    for index, case in enumerate(cases):
        groups.setdefault(key(case), []).append(index)
    ranks = {index: rank for group in groups.values() for rank, index in enumerate(group)}
    chosen = sorted(range(len(cases)), key=lambda index: (ranks[index], index))[:limit]
    return [cases[index] for index in sorted(chosen)]
