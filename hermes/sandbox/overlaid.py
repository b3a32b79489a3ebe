"""A shell command in the sandbox, in the words that the shell tool already speaks.

The same `Command` in and `Finished` out as the guard's `Shell`; what it changed comes beside,
checked and not yet done.
"""

from collections.abc import Callable
from dataclasses import dataclass

from hermes.sandbox.box import Ended, Why
from hermes.sandbox.changes import Changes
from hermes.sandbox.command import Command, Finished
from hermes.sandbox.output import Output

_OF_THE_MACHINE = {"HOME", "USER", "LOGNAME", "TMPDIR"}
FLOOD = 256 << 20


@dataclass(frozen=True)
class Overlaid:
    """How the command ended, why, and what it would change."""

    finished: Finished
    why: Why
    changes: Changes

    @classmethod
    def of(cls, ended: Ended, output: Output) -> "Overlaid":
        """The sandbox's words in the shell tool's."""
        head, tail = output.parts()
        finished = Finished(
            status=ended.status,
            head=head,
            tail=tail,
            lines=output.lines,
            dropped=output.dropped,
            timed_out=ended.why == "wall clock",
        )
        return cls(finished, ended.why, ended.changes or Changes())


def collected(command: Command) -> tuple[Output, Callable[[str, bytes], None]]:
    """Where a command's output is kept, and what takes each piece of it."""
    output = Output(command.cap_bytes)

    def take(_name: str, piece: bytes) -> None:
        output.add(piece)

    return output, take


def plain_env(command: Command) -> dict[str, str]:
    """What of a command's environment holds inside too."""
    return {name: text for name, text in command.env.items() if name not in _OF_THE_MACHINE}
