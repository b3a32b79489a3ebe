"""The tools of this owner; they come and go while it runs."""

import re
from collections.abc import Iterable

from hermes.core.model import ToolSpec
from hermes.core.tool import Tool
from hermes.errors import Usage
from hermes.tools.schema import spec

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


class Registry:
    """Tools by name, in the order they came; `revision` rises with every change."""

    def __init__(self, tools: Iterable[Tool] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        self._specs: dict[bool, tuple[ToolSpec, ...]] = {}
        self.revision = 0
        for tool in tools:
            self.add(tool)

    def add(self, tool: Tool) -> None:
        """Take a tool in; raises Usage when its name is taken or no name."""
        if not _NAME.fullmatch(tool.name):
            raise Usage(f"{tool.name!r} is no name for a tool")
        if tool.name in self._tools:
            raise Usage(f"a tool named {tool.name} is there already")
        if (tool.run is None) == (tool.plan is None):
            raise Usage(f"{tool.name} needs either run or plan")
        self._tools[tool.name] = tool
        self._specs.clear()
        self.revision += 1

    def remove(self, name: str) -> None:
        """Let a tool go; raises Usage when there is none."""
        if self._tools.pop(name, None) is None:
            raise Usage(f"no tool named {name}")
        self._specs.clear()
        self.revision += 1

    def get(self, name: str) -> Tool | None:
        """The tool of this name."""
        return self._tools.get(name)

    def tools(self) -> tuple[Tool, ...]:
        """All tools."""
        return tuple(self._tools.values())

    def names(self) -> tuple[str, ...]:
        """All names."""
        return tuple(self._tools)

    def specs(self, *, terse: bool = False) -> tuple[ToolSpec, ...]:
        """All tools as offered to a model; terse: the core ones, as short as they go."""
        if terse not in self._specs:  # schemas are asked for at every step of every turn
            self._specs[terse] = tuple(
                spec(tool, terse=terse) for tool in self._tools.values() if tool.core or not terse
            )
        return self._specs[terse]
