"""A terminal that a test types into and reads from."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import anyio.to_thread
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output

from hermes.gateway.render_text import clean


@dataclass(frozen=True)
class PipedTerminal:
    """`input` takes keys, `output` collects bytes."""

    input: PipeInput
    output: Vt100_Output
    written: io.BytesIO

    async def type(self, keys: str) -> None:
        r"""Press keys; Enter is `\r`."""
        await anyio.to_thread.run_sync(self.input.send_text, keys)

    @property
    def raw(self) -> str:
        """Everything written so far, escape sequences and all."""
        return self.written.getvalue().decode("utf-8", "replace")

    @property
    def text(self) -> str:
        """Everything written so far, as text."""
        return clean(self.raw)


@contextmanager
def piped_terminal(
    rows: int = 24, columns: int = 80, encoding: str = "utf-8"
) -> Iterator[PipedTerminal]:
    """Open a terminal of a given size."""
    written = io.BytesIO()
    stdout = io.TextIOWrapper(written, encoding=encoding, write_through=True)
    size = Size(rows=rows, columns=columns)
    output = Vt100_Output(stdout, lambda: size, term="xterm-256color", enable_cpr=False)
    with create_pipe_input() as keys:
        yield PipedTerminal(keys, output, written)
