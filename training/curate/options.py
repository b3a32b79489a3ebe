"""What a curating is asked for, and what it tells."""

import hashlib
from pathlib import Path
from typing import Any, Literal

import msgspec

from hermes.core.model import ToolSpec


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Which conversations, where to, and how.

    `root`: one project's, else all. `since`: ms; conversations used then or later. `held_out`:
    the part of the conversations that is kept from training. `near`: similarity from which a
    turn counts as seen. `longest`: characters of one line. `owner`: names that are replaced
    wherever they stand (login, home directory, git's user.name). `arguments`: a call's, as an
    object (trl) or as JSON text (OpenAI, axolotl). `tools`: written into every line.
    """

    out: Path
    root: str | None = None
    since: int = 0
    held_out: float = 0.1
    near: float = 0.85
    longest: int = 24_000
    owner: tuple[str, ...] = ()
    arguments: Literal["object", "text"] = "object"
    tools: tuple[ToolSpec, ...] = ()

    def told(self) -> dict[str, Any]:
        """The settings for the manifest: nothing in them names the owner or the machine."""
        project = self.root and hashlib.sha256(self.root.encode()).hexdigest()
        return {
            "project": project,
            "since": self.since,
            "held_out": self.held_out,
            "near": self.near,
            "longest": self.longest,
            "arguments": self.arguments,
            "tools": [tool.name for tool in self.tools],
        }


class Summary(msgspec.Struct, frozen=True):
    """What was written; counts by split, by fate of conversations and turns, by kind of value."""

    out: str
    lines: dict[str, int]
    conversations: dict[str, int]
    turns: dict[str, int]
    replaced: dict[str, int]
