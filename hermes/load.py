"""The one late import: a table of names to heavy parts.

A heavy part is loaded by the command that needs it, so that a chat does not pay for it.
"""

import importlib
from types import ModuleType
from typing import Literal

Part = Literal["attach", "commands", "pathspec", "rich_text", "served", "shell_grammar", "terminal"]

_MODULES: dict[Part, str] = {
    "attach": "hermes.node.attach",
    "commands": "hermes.cli.run",
    "pathspec": "pathspec",
    "rich_text": "hermes.gateway.render_markdown",
    "served": "hermes.node.served",
    "shell_grammar": "hermes.policy.grammar",
    "terminal": "hermes.gateway.terminal",
}


def load(part: Part) -> ModuleType:
    """Import a heavy part by name."""
    return importlib.import_module(_MODULES[part])
