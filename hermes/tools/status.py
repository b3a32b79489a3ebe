"""Status: how this node is doing, in lines that the composition root knows."""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from hermes.core.tool import Outcome, Subject, Tool, ToolContext
from hermes.tools.plain import listing


class Status(msgspec.Struct, frozen=True):
    """Status takes no arguments."""


def status(lines: Callable[[ToolContext], Awaitable[Sequence[str]]]) -> Tool:
    """The tool; `lines` such as `node NAME`, `peers N`, `jobs N`, `load X`."""

    async def run(context: ToolContext, _: Status) -> Outcome:
        return listing(await lines(context), context.result_chars)

    return Tool(
        name="Status",
        description="State of this node.",
        arguments=Status,
        effect="read",
        subject=lambda _: Subject("text", ""),
        run=run,
        core=False,
    )
