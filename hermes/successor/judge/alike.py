"""When two answers are alike: without what must differ between any two runs of the same code.

Ids become the order in which they were first seen, times and random bytes their form alone;
neighbouring text is one text, and reads that ran together stand in the order of their calls.
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

from hermes.errors import Usage
from hermes.successor.judge.drive import Answer

Json = Any
How = Literal["any", "added", "removed", "less", "more"]

_ID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|baf[a-z2-7]{50,60}|[0-9a-f]{64}"
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_DAY = re.compile(r"\b\d{4}-\d\d-\d\d\b")
_CALL = re.compile(r"[a-z0-9]{9}")
_CALLS = {"call_id", "id"}
_FREE = {"salt", "wall_ms", "model_ms", "pid", "tokens_per_s"}
_RUNS = {"tool_started": 0, "tool_finished": 1}
_MOST = 50  # differences of one pair of answers
_NONE = object()


@dataclass(frozen=True)
class Difference:
    """Where two answers differ: a path with `*` for places in lists, and both values."""

    path: str
    parent: Json
    candidate: Json


@dataclass(frozen=True)
class Intended:
    """A declared difference: of which tool, at which path (`*` matches), of which kind."""

    tool: str
    path: str
    how: How

    def covers(self, tool: str, one: Difference) -> bool:
        """Whether a difference is the declared one."""
        if not (fnmatchcase(tool, self.tool) and fnmatchcase(one.path, self.path)):
            return False
        match self.how:
            case "any":
                return True
            case "added":
                return one.parent is None
            case "removed":
                return one.candidate is None
        if not (isinstance(one.parent, int | float) and isinstance(one.candidate, int | float)):
            return False
        return (one.candidate < one.parent) == (self.how == "less")


def read_intended(text: str) -> tuple[Intended, ...]:
    """Declarations, one a line: `TOOL PATH HOW`; `#` begins a comment. Raises Usage."""
    found = []
    for line in filter(None, (line.partition("#")[0].strip() for line in text.splitlines())):
        words = line.split()
        if len(words) != 3 or words[2] not in get_args(How):  # noqa: PLR2004 - as said above
            kinds = ", ".join(get_args(How))
            raise Usage(f"not a declared change: {line!r}", f"TOOL PATH HOW; HOW is one of {kinds}")
        found.append(Intended(words[0], words[1], words[2]))  # type: ignore[arg-type] # looked at
    return tuple(found)


class Plain:
    """Makes one side's answers comparable; knows the ids that side has used so far."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}

    def of(self, answer: Answer) -> Json:
        """One answer with its events."""
        events = [self._value(event, "") for event in _ordered(_joined(answer.events))]
        return {
            "events": events,
            "failed": answer.failed,
            "result": self._value(answer.result, ""),
        }

    def _value(self, value: Json, key: str) -> Json:
        if key in _FREE:
            return type(value).__name__
        match value:
            case dict():
                return {name: self._value(one, name) for name, one in value.items()}
            case list():
                return [self._value(one, "") for one in value]
            case str() if key in _CALLS and _CALL.fullmatch(value):
                return self._id(value)
            case str():
                return _ID.sub(lambda found: self._id(found[0]), _TIME.sub("TIME", value))
        return value

    def _id(self, text: str) -> str:
        return self._seen.setdefault(text, f"#{len(self._seen)}")


def differences(parent: Json, candidate: Json, path: str = "") -> Iterator[Difference]:
    """Every place where two plain values differ."""
    if isinstance(parent, dict) and isinstance(candidate, dict):
        for key in sorted({*parent, *candidate}):
            here = f"{path}.{key}" if path else str(key)
            yield from _either(parent.get(key, _NONE), candidate.get(key, _NONE), here)
    elif isinstance(parent, list) and isinstance(candidate, list):
        if len(parent) != len(candidate):
            yield Difference(f"{path}.length", len(parent), len(candidate))
        for one, other in zip(parent, candidate, strict=False):
            yield from differences(one, other, f"{path}.*")
    elif type(parent) is not type(candidate) or not (
        parent == candidate or (isinstance(parent, str) and _a_day_apart(parent, candidate))
    ):
        yield Difference(path, parent, candidate)


def _a_day_apart(parent: str, candidate: str) -> bool:
    """Whether only midnight lies between two texts."""
    if _DAY.sub("", parent) != _DAY.sub("", candidate):
        return False
    with contextlib.suppress(ValueError):
        days = zip(_DAY.findall(parent), _DAY.findall(candidate), strict=True)
        return all(
            abs(date.fromisoformat(one) - date.fromisoformat(other)) <= timedelta(days=1)
            for one, other in days
        )
    return False


def undeclared(
    tool: str, parent: Json, candidate: Json, intended: Sequence[Intended]
) -> Difference | None:
    """The first difference that nobody declared; past a great many declared ones too."""
    for count, one in enumerate(differences(parent, candidate)):
        if count > _MOST or not any(each.covers(tool, one) for each in intended):
            return one
    return None


def _either(parent: Json, candidate: Json, path: str) -> Iterator[Difference]:
    if parent is _NONE:
        yield Difference(path, None, candidate)
    elif candidate is _NONE:
        yield Difference(path, parent, None)
    else:
        yield from differences(parent, candidate, path)


def _joined(events: Sequence[Json]) -> list[Json]:
    joined: list[Json] = []
    for event in events:
        last = joined[-1] if joined else {}
        if event.get("type") == last.get("type") == "text_delta":
            text = f"{last.get('text', '')}{event.get('text', '')}"
            joined[-1] = last | {"text": text}
        else:
            joined.append(event)
    return joined


def _ordered(events: Sequence[Json]) -> list[Json]:
    """Calls that ran beside each other, in the order in which they were asked for."""
    place: dict[str, int] = {}
    ordered: list[Json] = []
    together: list[Json] = []
    for event in events:
        if event.get("type") == "tool_called":
            place.setdefault(str(event.get("call_id")), len(place))
        if event.get("type") in _RUNS:
            together.append(event)
            continue
        ordered += _sorted(together, place)
        together = []
        ordered.append(event)
    return ordered + _sorted(together, place)


def _sorted(events: list[Json], place: dict[str, int]) -> list[Json]:
    return sorted(
        events, key=lambda one: (place.get(str(one.get("call_id")), -1), _RUNS[one["type"]])
    )
