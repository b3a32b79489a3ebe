"""Where a call may begin in generated text, and where it is only quoted.

A marker inside a code fence or inside backticks on one line is talk about a call, never a
call. The parser and the stream's hold-back share this, so that they agree.
"""

import re

MARKS = ("<tool_call>", "<function=", "<|tool_call>", "<start_function_call>")

FENCE = re.compile(r"^[ \t]{0,3}(`{3,20}|~{3,20})", re.MULTILINE)
_MARK = "|".join(map(re.escape, MARKS))
# A span of code is short: the bound keeps hostile text linear.
_SPAN = r"``[^\n]{1,500}?``|`[^`\n]{1,500}`"
_LINE = re.compile(rf"{_SPAN}|(?P<mark>{_MARK})")
_TEXT = re.compile(
    rf"^[ \t]{{0,3}}(?P<fence>`{{3,20}}|~{{3,20}})|{_SPAN}|(?P<mark>{_MARK})", re.MULTILINE
)


def find_mark(text: str, pos: int = 0) -> int | None:
    """Return where the next marker outside quotes stands; `pos` is outside any quote."""
    while found := _TEXT.search(text, pos):
        if found["mark"]:
            return found.start()
        pos = found.end()
        if found["fence"]:
            closing = closing_fence(found["fence"]).search(text, pos)
            if not closing:
                return None
            pos = closing.end()
    return None


def mark_in_line(line: str, pos: int = 0) -> int | None:
    """The same within one line that stands in no fence."""
    if "<" not in line:  # nearly always, and once for every token
        return None
    return next((f.start() for f in _LINE.finditer(line, pos) if f["mark"]), None)


def closing_fence(opened: str) -> re.Pattern[str]:
    """Return what closes a fence: as many of the same signs or more, alone on a line."""
    return re.compile(rf"^[ \t]{{0,3}}{opened}{opened[0]}*[ \t]*$", re.MULTILINE)


def half_mark(text: str) -> int:
    """Return how many characters at the end may be the beginning of a marker."""
    start = text.rfind("<", max(0, len(text) - max(map(len, MARKS))))
    if start < 0 or not any(mark.startswith(text[start:]) for mark in MARKS):
        return 0
    return len(text) - start
