"""Writing above a live prompt: the scrollback belongs to finished text."""

import textwrap
from functools import partial

from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.output import Output

from hermes.gateway.render_rich import Paint


class Screen:
    """Commits painted text above the prompt, if there is one."""

    def __init__(self, output: Output, paint: Paint) -> None:
        self.paint = paint
        self._output = output

    @property
    def rows(self) -> int:
        """The terminal's height now."""
        return self._output.get_size().rows

    @property
    def columns(self) -> int:
        """The terminal's width now."""
        return self._output.get_size().columns

    async def commit(self, painted: str) -> None:
        """Write text that `paint` made; it cannot be taken back."""
        if painted:
            await run_in_terminal(partial(self._write, painted))

    async def say(self, text: str, style: str = "") -> None:
        """Write a sentence, broken between words where it is too long for one line."""
        indent = " " * (len(text) - len(text.lstrip()))
        lines = textwrap.wrap(
            text.strip(),
            max(self.columns, 20),
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        await self.commit(self.paint.lines(lines or [""], style))

    def _write(self, painted: str) -> None:
        self._output.write_raw(painted)
        self._output.flush()
