"""Markdown as a terminal shows it: rich's renderer with our headings and numbers.

Apart because importing it costs more than the rest of a start; `hermes.load` brings it in.
"""

from typing import ClassVar

from rich import markdown
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.segment import Segment


class _Heading(markdown.Heading):
    """At the left, where the text is: a transcript has no page to be centred on."""

    LEVEL_ALIGN: ClassVar[dict[str, JustifyMethod]] = {f"h{n}": "left" for n in range(1, 7)}


class _Item(markdown.ListItem):
    """Numbers with their dot, so that `1. ` reads and copies as it was written."""

    def render_number(
        self, console: Console, options: ConsoleOptions, number: int, last_number: int
    ) -> RenderResult:
        """Draw one numbered item; its further lines stand under the first."""
        mark = f" {str(number).rjust(len(str(last_number)))}. "
        room = options.update(width=max(options.max_width - len(mark), 1))
        style = console.get_style("markdown.item.number", default="none")
        start, rest = Segment(mark, style), Segment(" " * len(mark), style)
        for line in console.render_lines(self.elements, room, style=self.style):
            yield start
            yield from line
            yield Segment.line()
            start = rest


class Markdown(markdown.Markdown):
    """The one that answers are rendered with."""

    elements: ClassVar[dict[str, type[markdown.MarkdownElement]]] = {
        **markdown.Markdown.elements,
        "heading_open": _Heading,
        "list_item_open": _Item,
    }
