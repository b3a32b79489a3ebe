"""The terminal as an output: size, colours, without asking it where its cursor is.

A cursor position request stalls terminals that do not answer, and its answer may end up in
what the person types; nothing here needs it.
"""

import os
import sys
from collections.abc import Mapping

from prompt_toolkit.data_structures import Size
from prompt_toolkit.output import ColorDepth, Output
from prompt_toolkit.output.plain_text import PlainTextOutput
from prompt_toolkit.output.vt100 import Vt100_Output
from rich.color import ColorSystem

from hermes.gateway.render_rich import color_system

_DEPTHS = {
    None: ColorDepth.DEPTH_1_BIT,
    ColorSystem.STANDARD: ColorDepth.DEPTH_4_BIT,
    ColorSystem.EIGHT_BIT: ColorDepth.DEPTH_8_BIT,
    ColorSystem.TRUECOLOR: ColorDepth.DEPTH_24_BIT,
}
_SMALLEST = Size(rows=24, columns=80)


def open_output(environ: Mapping[str, str]) -> Output:
    """Standard output; plain text where the terminal knows no cursor movement."""
    term = environ.get("TERM", "dumb")
    if term in {"", "dumb", "unknown"}:
        return PlainTextOutput(sys.stdout)
    depth = _DEPTHS[color_system(environ)]
    return Vt100_Output(sys.stdout, _size, term=term, default_color_depth=depth, enable_cpr=False)


def _size() -> Size:
    try:
        columns, rows = os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError):
        return _SMALLEST
    return Size(rows=rows or _SMALLEST.rows, columns=columns or _SMALLEST.columns)
