"""The tools that a model is offered while it is evaluated: those of a person's turn.

Made from the runtime's own definitions, so that a changed tool is a changed offer. Runs none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import msgspec

from hermes.core.model import ToolSpec
from hermes.core.tool import Outcome, Subject, Tool
from hermes.sandbox.shell import Shell
from hermes.tools.builtin import Programs, builtin_tools
from hermes.tools.recall import Hit, Remembered, memory_tools, session_search
from hermes.tools.registry import Registry
from hermes.tools.status import status


class ScheduleArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """As `hermes.scheduler.tools` has them, a room that training may not enter."""

    when: str
    task: str


class JobsArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing."""


_SCHEDULE = "Do a task later or repeatedly: `when` such as `every day at 9`."
_JOBS = "List the scheduled jobs."


@dataclass(frozen=True)
class Offer:
    """The tools as a model sees them, and their argument Structs by name."""

    specs: tuple[ToolSpec, ...]
    arguments: dict[str, type[msgspec.Struct]]


class _Nothing:
    """Stands where a tool wants a store: no tool is ever run here."""

    async def add(
        self, project_hash: str, memory_type: Literal["decision"], content: str, source: str
    ) -> int:
        raise NotImplementedError

    async def recall(self, project_hash: str, query: str, limit: int) -> Sequence[Remembered]:
        raise NotImplementedError

    async def messages(self, query: str, *, limit: int) -> Sequence[Hit]:
        raise NotImplementedError


@cache
def offered() -> Offer:
    """All built-in tools, in the order in which the runtime registers them."""
    nothing = _Nothing()

    async def never(*_: object) -> Sequence[str]:
        raise NotImplementedError

    tools = (
        *builtin_tools(Shell(), {}, Programs("sh", None)),
        *memory_tools(nothing, lambda root: root.name),
        session_search(nothing),
        status(never),
        _planned("Schedule", _SCHEDULE, ScheduleArguments),
        _planned("Jobs", _JOBS, JobsArguments),
    )
    registry = Registry(tools)
    return Offer(registry.specs(), {tool.name: tool.arguments for tool in tools})


def _planned(name: str, description: str, arguments: type[msgspec.Struct]) -> Tool:
    async def never(*_: object) -> Outcome:
        raise NotImplementedError

    return Tool(
        name=name,
        description=description,
        arguments=arguments,
        effect="write",
        subject=lambda _: Subject("text", ""),
        run=never,
        core=False,
    )
