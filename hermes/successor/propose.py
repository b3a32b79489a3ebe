"""The tool `ProposePatch`: an agent proposes a change of its own runtime, from any turn.

It only queues a trial: the answer comes later, and adopting it is never the agent's to do. Small,
since every owner registers it; what a trial needs is loaded when there is one.
"""

from typing import Literal, Protocol

import msgspec

from hermes.core.tool import Outcome, Subject, Tool, ToolContext
from hermes.errors import HermesError, ToolFailure

_SHOWN = 200


class ProposePatchArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The patch as a unified diff, or Markdown with diffs in it; what is to be shown of it."""

    patch: str
    task: str
    goal: Literal["better", "same"] = "same"


class Proposals(Protocol):
    """Takes what is proposed."""

    async def take(self, context: ToolContext, arguments: ProposePatchArguments) -> str:
        """Queue a trial, durably; its id. Raises PatchInvalid, Halted and NotAvailable."""
        ...


def propose_tool(proposals: Proposals) -> Tool:
    """Make the tool."""

    async def propose(context: ToolContext, arguments: ProposePatchArguments) -> Outcome:
        try:
            name = await proposals.take(context, arguments)
        except HermesError as error:
            raise ToolFailure(error.message, error.remedy) from error
        return Outcome(f"proposal {name} is queued; it will be tried, and a person decides")

    return Tool(
        name="ProposePatch",
        description="Propose a change of Hermes itself; it is tried and judged.",
        arguments=ProposePatchArguments,
        effect="write",
        subject=lambda arguments: Subject("text", arguments.task[:_SHOWN]),
        run=propose,
        core=False,
    )
