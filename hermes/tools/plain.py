"""Results as plain text: shortened once, with what was cut said in the first line."""

import re
from collections.abc import Sequence

from hermes.core.tool import Outcome

LINE_CHARS = 500
NOTHING = "nothing found"
_MARK = re.compile(r"\[\d+ (lines|found)[^\]\n]*\]\n")


def shown(name: str) -> str:
    """A file's name on one line: control characters and undecodable bytes as escapes."""
    if name.isprintable():
        return name
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def encodable(text: str) -> str:
    """The text without lone surrogates, which no store and no model takes."""
    return text.encode("utf-8", "backslashreplace").decode()


def cut_line(line: str, limit: int = LINE_CHARS) -> str:
    """A line, cut when it is long."""
    return line if len(line) <= limit else f"{line[:limit]}…"


def head_of(lines: Sequence[str], room: int) -> list[str]:
    """As many whole lines from the start as fit into so many characters; at least one, cut."""
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    if not kept and lines:
        kept.append(cut_line(lines[0], max(room + len(lines[0]), 1)))
    return kept


def listing(lines: Sequence[str], room: int, total: int = 0) -> Outcome:
    """One found thing a line; `[40 found]` first when not all are shown."""
    if not lines:
        return Outcome(NOTHING)
    count = max(total, len(lines))
    lines = [cut_line(line) for line in lines]
    kept = head_of(lines, room)
    if len(kept) == count:
        return Outcome("\n".join(kept))
    mark = f"[{count} found]"
    return Outcome("\n".join([mark, *head_of(lines, room - len(mark) - 1)]), truncated=True)


def ends(text: str, room: int, total: int = 0) -> tuple[str, bool]:
    """Head and tail of a text, `[120 lines]` first, when it is too long; and whether it was.

    A mark that stands there already is kept. `total`: lines, where the text lacks some.
    """
    if len(text) <= room:
        return text, False
    found = _MARK.match(text)
    body = text[found.end() :] if found else text
    lines = [cut_line(line) for line in body.split("\n")]
    count = total or len(lines) - (lines[-1] == "")
    mark = found.group().rstrip("\n") if found else f"[{count} lines]"
    room = max(room - len(mark) - 5, 20)
    if len("\n".join(lines)) <= room:
        return "\n".join([mark, *lines]), True
    head = head_of(lines, room * 2 // 3)
    tail = head_of(lines[len(head) :][::-1], room - room * 2 // 3)[::-1]
    return "\n".join([mark, *head, "…", *tail]), True
