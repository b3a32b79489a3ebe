"""Bash in the sandbox: what it does to the project is seen, checked, journaled, then done.

A command that ran out of time or over a limit changes nothing; one that ended by itself, with
whatever exit code, changes what it did. What policy let look outside of the project, and what
the person wants outside, always or this once, runs as it would without the sandbox, and so does
everything on a machine that has none. Whether they were asked is not looked at here.
"""

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import anyio.from_thread
import anyio.to_thread
import msgspec

from hermes.core.tool import Change, Outcome, Place, Tool, ToolContext, Tried
from hermes.errors import Refused, ToolFailure
from hermes.policy.outside import Outside, read_outside
from hermes.policy.readonly import bash_reading
from hermes.sandbox.aside import Aside
from hermes.sandbox.changes import Changes
from hermes.sandbox.changes_apply import apply_changes, finish_changes
from hermes.sandbox.command import Command, Finished
from hermes.sandbox.environment import apart_from
from hermes.sandbox.overlaid import Overlaid
from hermes.sandbox.shell import Shell
from hermes.sandbox.view import View
from hermes.tools.execution import NOTHING_KEPT
from hermes.tools.plain import encodable, shown
from hermes.tools.shell import Bash, bash, command_of, told

_NAMED = 5
_KEPT = 64 << 20  # earlier contents of one command's files in the journal
_NO_NETWORK = re.compile(
    rb"Network is unreachable|Temporary failure in name resolution|Name or service not known"
    rb"|Could not resolve host|EAI_AGAIN|ENETUNREACH|ENOTFOUND|dial tcp: lookup"
)
_NO_PLACE = b"Read-only file system"
_NO_RENAME = b"Invalid cross-device link"
_SAY = (
    "the person can let it run outside of the sandbox: say why in `outside`, and they are asked; "
    "with the setting sandbox.outside they are not"
)


class HeldBash(Bash, frozen=True):
    """Arguments of Bash in the sandbox."""

    outside: Annotated[
        str,
        msgspec.Meta(
            description="why it must run outside of the sandbox, when it failed in there for want "
            "of network or place; a person is asked each time"
        ),
    ] = ""

    @property
    def why(self) -> str:
        """Why it is to run outside; empty: it is not."""
        return self.outside.strip()


@dataclass(frozen=True)
class Terms:
    """What was set: the network, and what runs outside. `record`: see `changes_apply`."""

    record: Path
    network: bool = False
    outside: tuple[str, ...] = ()


@asynccontextmanager
async def open_bash(
    shell: Shell, view: View, program: str, terms: Terms
) -> AsyncGenerator[Tool, None]:
    """The tool with a sandbox of its own; what waits in it ends with the context.

    Raises Usage where a pattern of what runs outside cannot be read.
    """
    outside = read_outside(terms.outside)
    await finish_changes(terms.record)
    async with Aside(view, network=terms.network) as aside:
        yield held_bash(Held(shell, aside, view.env, program, terms, outside))


@dataclass(frozen=True)
class Held:
    """Where commands run: in the sandbox where the machine has one, else under the guard."""

    shell: Shell
    aside: Aside
    env: Mapping[str, str]
    program: str
    terms: Terms
    outside: Outside

    def leaves(self, args: HeldBash, place: Place) -> str:
        """Why it asks to leave the sandbox; empty: it does not, or is not in one. In a thread."""
        inside = args.why and not self.outside.means(args.command, place)
        return args.why if inside and anyio.from_thread.run(self.aside.holds) else ""

    async def run(self, command: Command, place: Place, *, out: bool) -> Overlaid | Finished:
        """Run one aside where it only reads the project, else under the guard.

        There one that only reads has programs that no project brings.
        """
        found = await anyio.to_thread.run_sync(bash_reading, command.argv[-1], place)
        looks = found is not None and not found.outside and not out
        if looks and await self._holds(command, place):
            done = await self.aside.look(command, place.root)
            if done is not None:
                return done
        if found is not None and await self.aside.holds():
            env = await anyio.to_thread.run_sync(apart_from, place.root, command.env)
            command = replace(command, env=env)
        return await self.shell.run(command)

    async def change(self, command: Command, place: Place) -> Overlaid | None:
        """Run one that may write, aside; None: it is for the guard."""
        if not await self._holds(command, place):
            return None
        await finish_changes(self.terms.record)
        return await self.aside.change(command, place.root)

    async def settle(self, changes: Changes, root: Path) -> None:
        """Make real what one did."""
        try:
            await apply_changes(changes, root, self.terms.record)
        except Refused as error:
            raise ToolFailure(error.message) from error

    def lacked(self, done: Overlaid) -> str:
        """A line on what it did not find inside, where its own words say so."""
        if done.finished.status == 0:
            return ""
        if not self.terms.network and _NO_NETWORK.search(done.finished.output):
            return f"note: commands have no network here; {_SAY}"
        if _NO_PLACE in done.finished.output:
            return f"note: only the project can be written here; {_SAY}"
        if _NO_RENAME in done.finished.output:
            return "note: a directory of the project is not renamed in one step here; use mv"
        return ""

    async def _holds(self, command: Command, place: Place) -> bool:
        means = self.outside.means
        outside = await anyio.to_thread.run_sync(means, command.argv[-1], place)
        return not outside and await self.aside.holds()


def held_bash(held: Held) -> Tool:
    """The shell tool, with its writes done aside first."""
    plain = bash(held.shell, held.env, held.program)

    async def run(context: ToolContext, args: HeldBash) -> Outcome:
        command = command_of(context, args, held.env, held.program)
        done = await held.run(command, context.place, out=bool(args.why))
        if isinstance(done, Finished):
            return told(done, command.timeout_s, context.result_chars)
        return _answer(done, command.timeout_s, context.result_chars, held.lacked(done))

    async def trial(context: ToolContext, args: HeldBash) -> Tried | None:
        command = command_of(context, args, held.env, held.program)
        done = None if args.why else await held.change(command, context.place)
        return None if done is None else _tried(held, done, context, command.timeout_s)

    return replace(
        plain,
        arguments=HeldBash,
        run=run,
        trial=trial,
        reaches=held.terms.network,
        outside=held.leaves,
    )


def _tried(held: Held, done: Overlaid, context: ToolContext, timeout: float) -> Tried:
    changes, root = done.changes, context.place.root
    answer = partial(_answer, done, timeout, context.result_chars)
    more = held.lacked(done)
    if not changes:
        return Tried(answer(more))
    if done.why not in {"exit", "signal"}:
        return Tried(answer(NOTHING_KEPT))
    if changes.refused:
        return Tried(replace(answer(f"error: {_refusals(changes)}; {NOTHING_KEPT}"), ok=False))
    files, lost = _worth_keeping(changes.files(root))
    if lost:
        more = "\n".join([*([more] if more else []), f"note: /undo does not bring back: {lost}"])
    touches = tuple(root / one.path for one in changes.deltas)
    return Tried(answer(more), files, touches, partial(held.settle, changes, root))


def _worth_keeping(changes: Sequence[Change]) -> tuple[tuple[Change, ...], str]:
    """What goes to the journal: all but the largest files, where all is too much; and those.

    Nor does a file whose name is no text. A repository goes there whole or not at all: half of
    it taken back, as a pack without the one that it replaced, would be none.
    """
    room, lost = _KEPT, set[Path]()
    for change in sorted(changes, key=lambda one: len(one.before or b"")):
        room -= len(change.before or b"")
        if room < 0 or str(change.path) != encodable(str(change.path)):
            lost.add(change.path)
    inner = {change.path for change in changes if ".git" in change.path.parts}
    if inner & lost:
        lost |= inner
    kept = tuple(change for change in changes if change.path not in lost)
    return kept, _some([shown(path.name) for path in sorted(lost)])


def _answer(done: Overlaid, timeout: float, room: int, more: str = "") -> Outcome:
    """The shell tool's own words; then which limit ended it, and what became of its changes."""
    by_itself = done.why in {"exit", "signal", "wall clock"}
    limit = "" if by_itself else f"error: ended by the sandbox's limit: {done.why}"
    last = "\n".join(line for line in (limit, more) if line)
    said = told(done.finished, timeout, room - len(last) - 1 if last else room)
    text = f"{said.text}\n{last}" if last else said.text
    return replace(said, text=text, ok=said.ok and not limit)


def _refusals(changes: Changes) -> str:
    return _some([f"{shown(one.path)}: {one.reason}" for one in changes.refused], "; ")


def _some(words: Sequence[str], between: str = ", ") -> str:
    more = len(words) - _NAMED
    return between.join([*words[:_NAMED], *([f"{more} more"] if more > 0 else [])])
