"""A unified diff of planned changes, for people."""

import difflib
from collections.abc import Sequence

from hermes.core.tool import Change
from hermes.tools.disk import is_binary
from hermes.tools.plain import cut_line, shown

DIFF_CHARS = 20_000
MAX_LINES = 5_000
_MOST_FILES = 100
_NO_END = "\\ no newline at end of file"


def diff_of(changes: Sequence[Change], room: int = DIFF_CHARS) -> str:
    """The changes as one diff; binary files and whole rewrites of long ones are counted only."""
    lines: list[str] = []
    for change in changes[:_MOST_FILES]:
        lines += _one(change)
    if (more := len(changes) - _MOST_FILES) > 0:
        lines.append(f"[{more} more files]")
    kept: list[str] = []
    for number, line in enumerate(lines):
        room -= len(line) + 1
        if room < 0:
            kept.append(f"[{len(lines) - number} more lines]")
            break
        kept.append(line)
    return "\n".join(kept)


def _one(change: Change) -> list[str]:
    before, after = change.before or b"", change.after or b""
    name = shown(str(change.path))
    top = [
        f"--- {'/dev/null' if change.before is None else name}",
        f"+++ {'/dev/null' if change.after is None else name}",
    ]
    if is_binary(before) or is_binary(after):
        return [*top, f"binary: {len(before)} bytes before, {len(after)} after"]
    old, new = _lines(before), _lines(after)
    if max(len(old), len(new)) > MAX_LINES:
        old, new, skipped = _middle(old, new)
        top.append(f"[the first {skipped} lines are the same]")
        if max(len(old), len(new)) > MAX_LINES:
            return [*top, f"[{len(old)} lines become {len(new)}]"]
    return [*top, *map(cut_line, list(difflib.unified_diff(old, new, lineterm=""))[2:])]


def _lines(data: bytes) -> list[str]:
    text = data.decode("utf-8", "replace")
    lines = [line.replace("\r", "␍") for line in text.split("\n")]
    last = lines.pop()
    return [*lines, f"{last}\n{_NO_END}"] if last else lines


def _middle(old: list[str], new: list[str]) -> tuple[list[str], list[str], int]:
    """What is left without the common start and end: a long diff is quadratic."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    return old[start : len(old) - end], new[start : len(new) - end], start
