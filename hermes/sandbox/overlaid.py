"""A shell command on a laid-over workspace, with the words that the shell tool already speaks.

The same `Command` in and `Finished` out as the guard's `Shell`; what it changed comes beside,
checked and not yet done. Its network is its own loopback, its view the workspace and `/usr`.
"""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from hermes.sandbox.box import Box, Ended, Limits, Why, Wires
from hermes.sandbox.changes import Changes
from hermes.sandbox.command import Command, Finished
from hermes.sandbox.output import Output
from hermes.sandbox.standing import Standing, run

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


def collected(
    command: Command, on_output: Callable[[bytes], None] | None = None
) -> tuple[Output, Callable[[str, bytes], None]]:
    """Where a command's output is kept, and what takes each piece of it."""
    output = Output(command.cap_bytes)

    def take(_name: str, piece: bytes) -> None:
        output.add(piece)
        if on_output is not None:
            on_output(piece)

    return output, take


def plain_env(command: Command) -> dict[str, str]:
    """What of a command's environment holds inside too."""
    return {name: text for name, text in command.env.items() if name not in _OF_THE_MACHINE}


async def run_overlaid(
    standing: Standing,
    command: Command,
    root: Path,
    limits: Limits | None = None,
    on_output: Callable[[bytes], None] | None = None,
) -> Overlaid:
    """Run a command whose writes below `root` are collected; needs tier A or A-.

    Time and output are bounded as the command says; `limits` bounds the rest. Raises as
    `standing.run` does. What it changed before it ran out of time is there too.
    """
    output, take = collected(command, on_output)
    box = Box(
        limits=replace(limits or Limits(), wall_s=command.timeout_s, output=FLOOD),
        workspace=root,
        env=plain_env(command),
        cwd=str(command.cwd),
    )
    wires = Wires(stdin=command.stdin.encode(), stderr=subprocess.STDOUT, collect=False)
    ended = await run(standing, box, command.argv, wires, take)
    return Overlaid.of(ended, output)
