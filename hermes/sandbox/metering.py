"""What a sandbox used, as the meter around it says at its end.

Apart from the watchdog's weighing: that bounds a run while it lasts and sees it every 50 ms; this
is for whoever compares two of them. The pipe's other end is never open inside.
"""

import contextlib
import os
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from hermes.errors import Usage
from hermes.sandbox.box import Box, Used

_WORDS = 2
_MOST = 64


class Meter:
    """The meter of one sandbox; making it is blocking. Killed with its sandbox, it says nothing."""

    def __init__(self, box: Box, python: str, stack: ExitStack) -> None:
        if box.workspace is not None:
            raise Usage("a box with a workspace is not metered")
        self._reader, writer = os.pipe()
        stack.callback(os.close, self._reader)
        os.set_blocking(self._reader, False)
        self._writer: int | None = writer
        stack.callback(self.started)
        self.argv = [python, "-I", "-S", "-B", "-c", _text(), str(writer)]
        self.fds = (writer,)

    def started(self) -> None:
        """Close what is the meter's own end, once it runs."""
        if self._writer is not None:
            os.close(self._writer)
            self._writer = None

    def read(self) -> Used | None:
        """What it said, when all has ended."""
        said = b""
        with contextlib.suppress(BlockingIOError):
            said = os.read(self._reader, _MOST)
        numbers = [int(word) for word in said.split() if word.isdigit()]
        return Used(*numbers) if len(numbers) == _WORDS else None


@cache
def _text() -> str:
    """The meter itself; handed in as words, since who runs it may not be able to read here."""
    return Path(__file__).with_name("meter.py").read_text()
