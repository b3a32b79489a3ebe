"""Glob patterns: `*`, `?`, `[…]` within a name, `**` over directories, `{a,b}`.

A pattern without a slash fits at any depth, as in `.gitignore` and ripgrep. Matched name by
name, so that no pattern makes matching slow.
"""

import fnmatch
from collections.abc import Callable

from hermes.errors import ToolFailure

_MAX_ALTERNATIVES = 64
_MAX_PATTERN = 1_000


def matcher(pattern: str) -> Callable[[str], bool]:
    """A test for relative paths; raises ToolFailure when the pattern is out of bounds."""
    if not pattern or len(pattern) > _MAX_PATTERN or "\0" in pattern:
        raise ToolFailure("bad pattern: empty, too long or not text")
    wanted = [_parts(one) for one in _alternatives(pattern)]
    return lambda path: any(_matches(path.split("/"), parts) for parts in wanted)


def _parts(pattern: str) -> list[str]:
    parts = [part for part in pattern.split("/") if part not in {"", "."}]
    if "/" not in pattern:
        parts.insert(0, "**")
    return [part for n, part in enumerate(parts) if part != "**" or parts[n - 1 : n] != ["**"]]


def _alternatives(pattern: str) -> list[str]:
    waiting, done = [pattern], []
    while waiting:
        one = waiting.pop(0)
        close = one.find("}")
        start = one.rfind("{", 0, max(close, 0))
        if close < 0 or start < 0:
            done.append(one)
        else:
            options = one[start + 1 : close].split(",")
            waiting += [f"{one[:start]}{option}{one[close + 1 :]}" for option in options]
        if len(waiting) + len(done) > _MAX_ALTERNATIVES:
            raise ToolFailure("bad pattern: too many alternatives")
    return done


def _matches(names: list[str], parts: list[str]) -> bool:
    """Whether the names fit the parts: a table of reachable places, one row a part."""
    reached = [True] + [False] * len(names)
    for part in parts:
        if part == "**":
            for n in range(len(names)):
                reached[n + 1] = reached[n + 1] or reached[n]
            continue
        reached = [False] + [
            reached[n] and fnmatch.fnmatchcase(name, part) for n, name in enumerate(names)
        ]
    return reached[-1]
