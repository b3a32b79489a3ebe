"""What a command did to its workspace, as values: each place before and after.

Nothing is done with them yet: `changes_check` says what may not be let out, and
`changes_apply` does it to the real directory.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from hermes.core.tool import Change

Kind = Literal["file", "directory", "link", "other"]


@dataclass(frozen=True)
class Node:
    """What lies at a place: `data` is a file's content or where a link points.

    `time`: when a file was last written, in ns; the same file at another time is the same.
    """

    kind: Kind
    data: bytes
    mode: int
    time: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Delta:
    """One place, relative to the workspace, before and after; None: nothing there."""

    path: str
    before: Node | None
    after: Node | None

    @property
    def word(self) -> str:
        """What happened, in one word."""
        if self.before is None:
            return "added"
        if self.after is None:
            return "removed"
        return "changed" if self.before.kind == self.after.kind else "replaced"


@dataclass(frozen=True)
class Refusal:
    """A change that is not let out, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Changes:
    """Everything that changed, in the order of paths, and what of it is refused."""

    deltas: tuple[Delta, ...] = ()
    refused: tuple[Refusal, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything changed."""
        return bool(self.deltas or self.refused)

    def files(self, root: Path) -> tuple[Change, ...]:
        """The files among them as a tool's plan, with which they are shown and journaled."""
        return tuple(
            Change(root / one.path, _content(one.before), _content(one.after))
            for one in self.deltas
            if _content(one.before) != _content(one.after)
        )


def record_in(data_dir: Path) -> Path:
    """Where changes are written down while they are made: one place for all who make them."""
    return data_dir / "changes.record"


def _content(node: Node | None) -> bytes | None:
    return node.data if node is not None and node.kind == "file" else None
