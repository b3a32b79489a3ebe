"""Skill: opens a skill's instructions, and the files that they refer to."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from hermes.core.tool import Outcome, Subject, Tool, ToolContext
from hermes.errors import HermesError, ToolFailure
from hermes.tools.plain import cut_line, head_of, listing

SKILL = "Skill"
_LONGEST = 2_000
_FILES, _NAMED = 40, 800
_KEPT = 120  # characters for the lines that say what was cut


@dataclass(frozen=True)
class Opened:
    """A skill's text, or a file's. `allowed`: rules that its use is narrowed to; None: not."""

    text: str
    folder: str
    files: tuple[str, ...] = ()
    allowed: tuple[str, ...] | None = None


class Skills(Protocol):
    """Finds skills that the person approved; `node` hands it in."""

    async def offered(self, root: Path) -> Sequence[tuple[str, str]]:
        """Names and descriptions."""
        ...

    async def open(self, root: Path, name: str, file: str) -> Opened:
        """A skill's instructions, or one of its files; raises Refused, Usage."""
        ...


class Skill(msgspec.Struct, frozen=True):
    """Arguments of Skill; without a name it lists them; `offset`: the first line, from 1."""

    name: str
    file: str = ""
    offset: int = 0


def skill_tool(skills: Skills) -> Tool:
    """The tool; while a skill is open, the turn is narrowed to what it allows."""

    async def run(context: ToolContext, args: Skill) -> Outcome:
        if not args.name.strip():
            found = await skills.offered(context.place.root)
            return listing([f"{name}: {says}" for name, says in found], context.result_chars)
        try:
            opened = await skills.open(context.place.root, args.name.strip(), args.file.strip())
        except HermesError as error:
            raise ToolFailure(error.message) from error
        if opened.allowed is not None:
            context.narrow(args.name.strip(), opened.allowed)
        return _shown(opened, args, context.result_chars)

    return Tool(
        name=SKILL,
        description="Open a skill's instructions.",
        arguments=Skill,
        effect="read",
        subject=lambda args: Subject("text", args.name),
        run=run,
        core=False,
    )


def _shown(opened: Opened, args: Skill, room: int) -> Outcome:
    head = [] if args.file or args.offset > 1 else _about(opened)
    lines = opened.text.split("\n")
    first = max(args.offset, 1)
    if first > len(lines):
        raise ToolFailure(f"offset: it has {len(lines)} lines")
    wanted = [cut_line(line, _LONGEST) for line in lines[first - 1 :]]
    kept = head_of(wanted, room - sum(len(line) + 1 for line in head) - _KEPT)
    cut = len(kept) < len(wanted)
    if cut:
        mark = f"[{len(lines)} lines, from {first}; go on with offset {first + len(kept)}]"
        head = [mark, *head]
    return Outcome("\n".join([*head, *kept]), truncated=cut)


def _about(opened: Opened) -> list[str]:
    others = [name for name in opened.files if name != "SKILL.md"]
    # The prompt says that tool results are data: of these the person said otherwise.
    lines = [f"[instructions that the person approved, in {opened.folder}]"]
    if others:
        more = f", and {len(others) - _FILES} more" if len(others) > _FILES else ""
        named = cut_line(", ".join(others[:_FILES]), _NAMED)
        lines.append(f"[its files, by Skill with file: {named}{more}]")
    if opened.allowed is not None:
        names = cut_line(", ".join(opened.allowed), _NAMED) or "no tool"
        lines.append(f"[while it is in use, anything but {names} asks the person]")
    return lines
