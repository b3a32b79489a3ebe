"""Answers and diffs in colour, as text for a terminal.

Every segment is cleaned after rendering, because Markdown can write a character as an
entity; what is left of escape sequences are the colours that we chose ourselves.
"""

import io
from collections.abc import Callable, Iterable, Mapping

import anyio.to_thread
from rich.color import ColorSystem
from rich.console import Console, RenderableType
from rich.errors import StyleSyntaxError
from rich.segment import Segment
from rich.style import Style

from hermes.gateway.render_text import clean
from hermes.load import load
from hermes.skin.colours import rich_colour

_STYLES = {
    "answer": "default",
    "accent": "bold cyan",
    "user": "bold",
    "dim": "dim",
    "good": "green",
    "bad": "red",
    "warn": "yellow",
    "added": "green",
    "removed": "red",
    "hunk": "cyan",
}
_ROLES = {  # from our styles to the colours of a skin, and what is added to them
    "answer": ("answer", ""),
    "accent": ("prompt", "bold"),
    "user": ("prompt", "bold"),
    "dim": ("dim", ""),
    "good": ("ok", ""),
    "bad": ("error", ""),
    "warn": ("warn", ""),
}
_LONGEST_MARKDOWN = 16_384
_DIFF_STYLES = (("+++", "dim"), ("---", "dim"), ("@@", "hunk"), ("+", "added"), ("-", "removed"))


def color_system(environ: Mapping[str, str]) -> ColorSystem | None:
    """How many colours a terminal has, by its environment (https://no-color.org)."""
    term = environ.get("TERM", "dumb")
    if environ.get("NO_COLOR") or term in {"dumb", "unknown", ""}:
        return None
    if environ.get("COLORTERM") in {"truecolor", "24bit"}:
        return ColorSystem.TRUECOLOR
    return ColorSystem.EIGHT_BIT if "256color" in term else ColorSystem.STANDARD


class Paint:
    """Renders for one terminal; `width` is asked each time, because windows change size."""

    def __init__(
        self,
        width: Callable[[], int],
        colours: ColorSystem | None,
        palette: Mapping[str, str] | None = None,
        *,
        ascii_only: bool = False,
    ) -> None:
        self._width = width
        self._colours = colours
        self._encoding = "ascii" if ascii_only else "utf-8"
        self._styles: dict[str, Style] = {}
        self.recolour(palette or {})

    def recolour(self, palette: Mapping[str, str]) -> None:
        """Take the colours of a skin."""
        self._styles = {name: Style.parse(style) for name, style in _STYLES.items()}
        for name, (role, more) in _ROLES.items():
            if colour := palette.get(role):
                self._styles[name] = _style(f"{more} {rich_colour(colour)}", self._styles[name])

    async def markdown(self, blocks: Iterable[str]) -> str:
        """Blocks of Markdown, rendered in a thread: what a model writes may be slow to parse."""
        return await anyio.to_thread.run_sync(lambda: "\n".join(map(self.markdown_block, blocks)))

    def markdown_block(self, text: str) -> str:
        """A block of Markdown; a very long one stays plain. Blocking."""
        text = clean(text)
        if len(text) > _LONGEST_MARKDOWN:
            return text + "\n"
        kind = load("rich_text").Markdown
        answer = self._styles["answer"]
        return (
            self._render(kind(text, code_theme="ansi_dark", hyperlinks=False, style=answer)).strip(
                "\n"
            )
            + "\n"
        )

    def line(self, text: str, style: str = "") -> str:
        """Text in one style, as it is, ending in a newline."""
        return self._paint(clean(text), self._styles.get(style)) + "\n"

    def lines(self, lines: Iterable[str], style: str = "") -> str:
        """Several lines in one style."""
        return "".join(self.line(line, style) for line in lines)

    def diff(self, text: str, most: int = 60) -> str:
        """A unified diff in colour, cut after `most` lines with a word about it."""
        lines = clean(text).rstrip("\n").split("\n")
        shown = "".join(self.line(f"  {line}", _diff_style(line)) for line in lines[:most])
        if (left := len(lines) - most) > 0:
            shown += self.line(f"  ... {left} more lines", "dim")
        return shown

    def _render(self, renderable: RenderableType) -> str:
        console = Console(
            file=io.TextIOWrapper(io.BytesIO(), encoding=self._encoding),
            force_terminal=True,
            width=max(self._width(), 20),
            legacy_windows=False,
            _environ={},
        )
        segments = console.render(renderable)
        return "".join(
            self._paint(clean(segment.text), segment.style)
            for line in Segment.split_lines(segments)
            for segment in [*_stripped(line), Segment.line()]
        )

    def _paint(self, text: str, style: Style | None) -> str:
        if style is None or self._colours is None:
            return text
        return style.render(text, color_system=self._colours)


def _diff_style(line: str) -> str:
    return next((style for start, style in _DIFF_STYLES if line.startswith(start)), "")


def _stripped(line: Iterable[Segment]) -> list[Segment]:
    """A line without its padding, so that copied text has none."""
    kept = [segment for segment in line if not segment.control]
    while kept and not kept[-1].text.strip():
        kept.pop()
    if kept:
        kept[-1] = Segment(kept[-1].text.rstrip(), kept[-1].style)
    return kept


def _style(text: str, fallback: Style) -> Style:
    try:
        style = Style.parse(text)
    except StyleSyntaxError:
        return fallback
    return fallback if style.link else style
