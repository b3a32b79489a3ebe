"""The one late import: a table of names to heavy parts.

A heavy part is loaded by the command that needs it, so that a chat does not pay for it.
"""

import importlib
from types import ModuleType
from typing import Literal, assert_never

Part = Literal["shell_grammar", "terminal", "rich_text", "pathspec"]


def load(part: Part) -> ModuleType:
    """Import a heavy part by name."""
    match part:
        case "shell_grammar":
            return importlib.import_module("hermes.policy.grammar")
        case "terminal":
            return importlib.import_module("hermes.gateway.terminal")
        case "rich_text":
            return importlib.import_module("rich.markdown")
        case "pathspec":
            return importlib.import_module("pathspec")
        case _:
            assert_never(part)
