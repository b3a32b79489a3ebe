"""The one late import: a table of names to heavy parts.

A heavy part is loaded by the command that needs it, so that a chat does not pay for it.
"""

import importlib
from types import ModuleType
from typing import Literal

Part = Literal[
    "anchors",
    "attach",
    "calendar",
    "calendar_client",
    "commands",
    "connect",
    "genesis",
    "header_file",
    "headers",
    "identity_backup",
    "identity_fleet",
    "identity_init",
    "identity_soul",
    "members",
    "notes",
    "npub",
    "offline",
    "pathspec",
    "pedigree",
    "prover",
    "rescue",
    "rich_text",
    "scrub",
    "served",
    "shell_grammar",
    "stamps",
    "subjects",
    "succession",
    "terminal",
    "train_convert",
    "train_curate",
    "train_estimate",
    "train_eval",
    "train_finetune",
    "train_generate",
    "train_sync",
    "train_task",
    "train_tools",
    "trust",
    "yaml",
]

_MODULES: dict[Part, str] = {
    "anchors": "hermes.chain.keeper",
    "attach": "hermes.node.attach",
    "calendar": "hermes.chain.calendar_http",
    "calendar_client": "hermes.chain.calendar_client",
    "commands": "hermes.cli.run",
    "connect": "hermes.chain.connect",
    "genesis": "hermes.identity.genesis",
    "header_file": "hermes.chain.header_file",
    "headers": "hermes.chain.headers",
    "identity_backup": "hermes.cli.identity_backup",
    "identity_fleet": "hermes.cli.identity_fleet",
    "identity_init": "hermes.cli.identity_init",
    "identity_soul": "hermes.cli.identity_soul",
    "members": "hermes.identity.members",
    "notes": "hermes.identity.note",
    "npub": "hermes.identity.npub",
    "offline": "hermes.chain.offline",
    "pathspec": "pathspec",
    "pedigree": "hermes.chain.pedigree",
    "prover": "hermes.chain.prover",
    "rescue": "hermes.chain.rescue",
    "rich_text": "hermes.gateway.render_markdown",
    "scrub": "hermes.scrub.scrub",
    "served": "hermes.node.served",
    "shell_grammar": "hermes.policy.grammar",
    "stamps": "hermes.chain.stamps",
    "subjects": "hermes.identity.subjects",
    "succession": "hermes.chain.succession",
    "terminal": "hermes.gateway.terminal",
    "train_convert": "training.convert",
    "train_curate": "training.curate.curate",
    "train_estimate": "training.estimate",
    "train_eval": "training.evaluate.ordered",
    "train_finetune": "training.finetune.run",
    "train_generate": "training.generate",
    "train_sync": "training.sync.ordered",
    "train_task": "training.task",
    "train_tools": "training.evaluate.offered",
    "trust": "hermes.chain.trust",
    "yaml": "yaml",
}


def load(part: Part) -> ModuleType:
    """Import a heavy part by name."""
    return importlib.import_module(_MODULES[part])
