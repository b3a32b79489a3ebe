"""What is run, and how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Command:
    """What to run: `env` is all it sees; `stdin` is text, empty: end of file at once."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    timeout_s: float = 120.0
    cap_bytes: int = 1 << 20
    stdin: str = ""


@dataclass(frozen=True)
class Finished:
    """How a command ended: exit code or minus the signal; head and tail of what it printed.

    `tail` is apart from `head` only where `dropped` bytes are missing between them; `lines`
    counts all lines that were printed.
    """

    status: int
    head: bytes
    tail: bytes
    lines: int
    dropped: int
    timed_out: bool

    @property
    def output(self) -> bytes:
        """Everything that was kept; a line says what is missing in the middle."""
        if not self.dropped:
            return self.head + self.tail
        return b"%s\n[%d bytes left out]\n%s" % (self.head, self.dropped, self.tail)

    @property
    def truncated(self) -> bool:
        """Whether something is missing."""
        return self.dropped > 0
