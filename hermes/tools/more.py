"""MoreTools: for small windows, tools that are not offered are asked for by name.

With `arguments` it stands for calling that tool: the router unwraps it before anything
looks at it, so that events, policy and journal show the real tool.
"""

import msgspec

from hermes.core.event import Json
from hermes.core.message import ToolCall
from hermes.core.tool import Outcome, Subject, Tool, ToolContext
from hermes.errors import ToolFailure
from hermes.tools.arguments import plain
from hermes.tools.plain import NOTHING
from hermes.tools.registry import Registry
from hermes.tools.schema import parameters

MORE = "MoreTools"


class MoreTools(msgspec.Struct, frozen=True):
    """Arguments of MoreTools; `arguments` is an object, or its text."""

    name: str = ""
    arguments: dict[str, Json] | str = ""


def unwrap(call: ToolCall) -> ToolCall:
    """The call that a MoreTools call stands for; any other call as it is."""
    if call.name != MORE:
        return call
    try:
        values = plain(call.arguments)
    except ToolFailure:
        return call
    name, inner = values.get("name"), values.get("arguments")
    if not isinstance(name, str) or name in {"", MORE} or not isinstance(inner, dict | str):
        return call
    text = inner if isinstance(inner, str) else msgspec.json.encode(inner).decode()
    return ToolCall(call.id, name, text) if text else call


def more_tools(registry: Registry) -> Tool:
    """The tool; it answers for what is in the registry at the time."""

    async def run(_: ToolContext, args: MoreTools) -> Outcome:
        tool = registry.get(args.name) if args.name != MORE else None
        if tool is not None:
            schema = parameters(tool.arguments, terse=False)["properties"]
            return Outcome(f"{tool.description}\n{msgspec.json.encode(schema).decode()}")
        others = [f"{tool.name}: {tool.description}" for tool in registry.tools() if not tool.core]
        if args.name:
            raise ToolFailure(
                f"no such tool {args.name[:60]}; tools: {', '.join(_names(registry))}"
            )
        return Outcome("\n".join(others) or NOTHING)

    return Tool(
        name=MORE,
        description="Describe or call another tool.",
        arguments=MoreTools,
        effect="read",
        subject=lambda args: Subject("text", args.name),
        run=run,
    )


def _names(registry: Registry) -> list[str]:
    return [name for name in registry.names() if name != MORE]
