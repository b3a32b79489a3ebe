"""The one late import: a table of names to heavy parts.

A heavy part is loaded by the command that needs it, so that a chat does not pay for it.
"""

import importlib
from types import ModuleType
from typing import Literal, assert_never

Part = Literal["attach", "commands", "pathspec", "rich_text", "shell_grammar", "terminal"]


def load(part: Part) -> ModuleType:
    """Import a heavy part by name."""
    match part:
        case "attach":
            return importlib.import_module("hermes.node.attach")
        case "commands":
            return importlib.import_module("hermes.cli.run")
        case "shell_grammar":
            return importlib.import_module("hermes.policy.grammar")
        case "terminal":
            return importlib.import_module("hermes.gateway.terminal")
        case "rich_text":
            return importlib.import_module("hermes.gateway.render_markdown")
        case "pathspec":
            return importlib.import_module("pathspec")
        case _:
            assert_never(part)
