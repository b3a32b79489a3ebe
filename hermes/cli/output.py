"""How commands print: JSON for programs, clean aligned text for people."""

import json
import re
import sys
from collections.abc import Sequence
from typing import TextIO

from hermes.core.event import Json
from hermes.gateway.render_text import clean, one_line

# What JSON leaves as it is: DEL and C1, marks of direction, line separators, lone surrogates.
_OBEYED = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def print_json(value: Json, out: TextIO) -> None:
    """Print a value as JSON on several lines."""
    print(_quiet(json.dumps(value, ensure_ascii=not _is_utf8(out), indent=2)), file=out)


def print_json_line(value: Json, out: TextIO) -> None:
    """Print a value as JSON on one line, at once."""
    print(_quiet(json.dumps(value, ensure_ascii=not _is_utf8(out))), file=out, flush=True)


def print_text(text: str, out: TextIO) -> None:
    """Print text that somebody else wrote."""
    print(clean(text), file=out)


def print_table(
    rows: Sequence[Json], columns: Sequence[tuple[str, str, int]], out: TextIO, empty: str
) -> None:
    """Print rows of data under headings; columns are (key, heading, greatest width)."""
    if not rows:
        print(empty, file=out)
        return
    cells = [[_cell(row.get(key), width) for key, _, width in columns] for row in rows]
    headings = [heading for _, heading, _ in columns]
    widths = [max(len(line[i]) for line in [headings, *cells]) for i in range(len(columns))]
    for line in [headings, *cells]:
        padded = "  ".join(text.ljust(size) for text, size in zip(line, widths, strict=True))
        print(padded.rstrip(), file=out)


def _cell(value: Json, width: int) -> str:
    match value:
        case None:
            text = "-"
        case bool():
            text = "yes" if value else "no"
        case str():
            text = value
        case _:
            text = json.dumps(value, ensure_ascii=False)
    return one_line(clean(text), width)


def _quiet(text: str) -> str:
    """The same JSON, with what a terminal obeys written as escapes."""
    return _OBEYED.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def _is_utf8(out: TextIO) -> bool:
    encoding = getattr(out, "encoding", None) or sys.getdefaultencoding()
    return encoding.lower().replace("-", "") == "utf8"
