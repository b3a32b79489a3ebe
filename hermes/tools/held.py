"""Bash in the sandbox: what it does to the project is seen, checked, journaled, then done.

A command that ran out of time or over a limit changes nothing; one that ended by itself, with
whatever exit code, changes what it did. What policy let look outside of the project runs as it
would without the sandbox, and so does everything on a machine that has none.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import anyio.to_thread

from hermes.core.tool import Outcome, Tool, ToolContext, Tried
from hermes.errors import Refused, ToolFailure
from hermes.policy.readonly import is_read_only
from hermes.sandbox.aside import Aside
from hermes.sandbox.changes import Changes
from hermes.sandbox.changes_apply import apply_changes
from hermes.sandbox.overlaid import Overlaid
from hermes.sandbox.shell import Shell
from hermes.sandbox.view import View
from hermes.tools.plain import shown
from hermes.tools.shell import Bash, bash, command_of, told

_NAMED = 5


@asynccontextmanager
async def open_bash(
    shell: Shell, view: View, program: str, *, network: bool = False
) -> AsyncGenerator[Tool, None]:
    """The tool with a sandbox of its own; what waits in it ends with the context."""
    async with Aside(view, network=network) as aside:
        yield held_bash(Held(shell, aside, view.env, program), reaches=network)


@dataclass(frozen=True)
class Held:
    """Where commands run: in the sandbox where the machine has one, else under the guard."""

    shell: Shell
    aside: Aside
    env: Mapping[str, str]
    program: str


def held_bash(held: Held, *, reaches: bool) -> Tool:
    """The shell tool, with its writes done aside first; `reaches`: a network is there."""
    plain = bash(held.shell, held.env, held.program)

    async def run(context: ToolContext, args: Bash) -> Outcome:
        command = command_of(context, args, held.env, held.program)
        if await _looks(args, context) and await held.aside.holds():
            done = await held.aside.look(command, context.place.root)
            return _answer(done, command.timeout_s, context.result_chars)
        return told(await held.shell.run(command), command.timeout_s, context.result_chars)

    async def trial(context: ToolContext, args: Bash) -> Tried | None:
        command = command_of(context, args, held.env, held.program)
        if not await held.aside.holds():
            return None
        root = context.place.root
        done = await held.aside.change(command, root)
        return _tried(done, context, command.timeout_s)

    return replace(plain, run=run, trial=trial, reaches=reaches)


async def _looks(args: Bash, context: ToolContext) -> bool:
    return await anyio.to_thread.run_sync(is_read_only, args.command, context.place)


def _tried(done: Overlaid, context: ToolContext, timeout: float) -> Tried:
    changes, root, room = done.changes, context.place.root, context.result_chars
    if not changes:
        return Tried(_answer(done, timeout, room))
    if done.why not in {"exit", "signal"}:
        return Tried(_answer(done, timeout, room, "nothing that it did was kept"))
    if changes.refused:
        said = f"error: {_refusals(changes)}; nothing that it did was kept"
        return Tried(replace(_answer(done, timeout, room, said), ok=False))
    return Tried(_answer(done, timeout, room), changes.files(root), partial(_settle, changes, root))


async def _settle(changes: Changes, root: Path) -> None:
    try:
        await apply_changes(changes, root)
    except Refused as error:
        raise ToolFailure(error.message) from error


def _answer(done: Overlaid, timeout: float, room: int, more: str = "") -> Outcome:
    """The shell tool's own words; then which limit ended it, and what became of its changes."""
    by_itself = done.why in {"exit", "signal", "wall clock"}
    limit = "" if by_itself else f"error: ended by the sandbox's limit: {done.why}"
    last = "\n".join(line for line in (limit, more) if line)
    said = told(done.finished, timeout, room - len(last) - 1 if last else room)
    text = f"{said.text}\n{last}" if last else said.text
    return replace(said, text=text, ok=said.ok and not limit)


def _refusals(changes: Changes) -> str:
    named = [f"{shown(one.path)}: {one.reason}" for one in changes.refused[:_NAMED]]
    more = len(changes.refused) - len(named)
    return "; ".join([*named, *([f"{more} more"] if more else [])])
