"""Bash: a shell command, killed with everything it started when it ends or is stopped."""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from hermes.core.tool import Effect, Outcome, Place, Subject, Tool, ToolContext
from hermes.errors import ToolFailure
from hermes.policy.readonly import bash_effect
from hermes.sandbox.shell import Command, Finished, Shell
from hermes.tools.plain import cut_line, ends

DEFAULT_S = 120
MAX_S = 600
_LINE_CHARS = 2_000


class Bash(msgspec.Struct, frozen=True):
    """Arguments of Bash."""

    command: str
    timeout: Annotated[int, msgspec.Meta(description="seconds")] = DEFAULT_S


def bash(shell: Shell, env: Mapping[str, str], program: str) -> Tool:
    """The tool; `program`: where bash lies, or sh on a machine without it."""

    async def run(context: ToolContext, args: Bash) -> Outcome:
        command = command_of(context, args, env, program)
        return told(await shell.run(command), command.timeout_s, context.result_chars)

    return Tool(
        name="Bash",
        description="Run a shell command.",
        arguments=Bash,
        effect=effect,
        subject=lambda args: Subject("command", args.command),
        run=run,
    )


def command_of(context: ToolContext, args: Bash, env: Mapping[str, str], program: str) -> Command:
    """What is run for these arguments; raises ToolFailure."""
    if not args.command.strip():
        raise ToolFailure("command: must not be empty")
    return Command(
        (program, "-c", args.command),
        context.place.cwd,
        env,
        timeout_s=min(max(args.timeout, 1), MAX_S),
        cap_bytes=context.result_chars * 4,
    )


def effect(args: Bash, place: Place) -> Effect:
    """Whether the command is known only to read."""
    return bash_effect(args.command, place)


def told(finished: Finished, timeout: float, room: int) -> Outcome:
    """Output, then how it ended: always the last line."""
    last = f"exit code {finished.status}"
    if finished.timed_out:
        last = f"error: timed out after {timeout:.0f} s"
    text = finished.output.decode("utf-8", "replace").replace("\r\n", "\n")
    lines = [cut_line(line, _LINE_CHARS) for line in text.removesuffix("\n").split("\n")]
    text = "\n".join(lines)
    room -= len(last) + 1
    if finished.truncated:
        text = f"[{finished.lines} lines]\n{text}"
    text, was_cut = ends(text, room, finished.lines)
    joined = f"{text}\n{last}" if text else last
    return Outcome(joined, ok=not finished.timed_out, truncated=was_cut or finished.truncated)
