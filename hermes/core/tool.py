"""What a tool is: a name, an argument Struct, an effect, a coroutine.

A write that changes files *plans* first: the plan carries each file's bytes before and
after, so that the person sees a diff, the journal keeps what was there, and only then the
disk is touched.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from hermes.core.ids import CallId, ConversationId, SessionId, TurnId

Effect = Literal["read", "write"]
Mode = Literal["read-only", "ask", "auto"]


@dataclass(frozen=True)
class Place:
    """Where the client stands: absolute, resolved directories; never this process's own."""

    cwd: Path
    root: Path


@dataclass(frozen=True)
class Change:
    """One file's bytes before (None: it did not exist) and after (None: it is removed)."""

    path: Path
    before: bytes | None
    after: bytes | None


@dataclass
class FileStates:
    """Digests of the files a conversation has read or written: path to sha256 hex."""

    seen: dict[Path, str] = field(default_factory=dict)


def hides_nothing(_path: Path) -> bool:
    """No file is kept from a search."""
    return False


def narrows_nothing(_name: str, _rules: tuple[str, ...]) -> None:
    """Nothing is narrowed."""


@dataclass(frozen=True)
class ToolContext:
    """What one call may know.

    `result_chars`: what its result may take, set by the router. `hides`: whether policy
    keeps a file from being read, so that walkers leave it out (blocking: ask in a thread).
    `narrow`: holds the rest of the turn to these rules, for instructions that name their tools.
    """

    conversation: ConversationId
    session: SessionId
    turn: TurnId
    call: CallId
    place: Place
    files: FileStates
    private: bool = False
    result_chars: int = 8_000
    hides: Callable[[Path], bool] = hides_nothing
    narrow: Callable[[str, tuple[str, ...]], None] = narrows_nothing


@dataclass(frozen=True)
class Outcome:
    """A tool's answer: plain text for the model; `truncated` when it was cut."""

    text: str
    ok: bool = True
    truncated: bool = False


@dataclass(frozen=True)
class Tried:
    """What a call did aside, where nobody sees it yet.

    `settle` makes what it did real, all of it or none (ToolFailure); None: there is nothing to
    make. `changes` are the files among it, for the journal and the person; `touches` every
    place, for policy.
    """

    outcome: Outcome
    changes: tuple[Change, ...] = ()
    touches: tuple[Path, ...] = ()
    settle: Callable[[], Awaitable[None]] | None = None


@dataclass(frozen=True)
class Subject:
    """What policy judges of a call.

    `path`: one file or directory as the model wrote it. `command`: a shell command.
    `text`: anything else; rules match on the text. `network` says that it leaves the machine.
    """

    kind: Literal["path", "command", "text"]
    value: str


@dataclass(frozen=True)
class Tool:
    """A tool as the router sees it.

    `effect` is fixed or decided from the arguments (a shell command that only reads).
    `plan` is given by tools that change files: it does no I/O but reading, raises
    ToolFailure, and `run` is then not used: the router applies the plan and says
    `summary(changes)`. `trial` does a write aside first; None from it: `run` has to.
    `reaches`: a trial can act beyond what it gives back, so that it is journaled before too.
    `outside`: why a call asks to run outside of the sandbox; empty: it does not. Blocking.
    """

    name: str
    description: str
    arguments: type[msgspec.Struct]
    effect: Effect | Callable[[Any, Place], Effect]
    subject: Callable[[Any], Subject]
    run: Callable[[ToolContext, Any], Awaitable[Outcome]] | None = None
    plan: Callable[[ToolContext, Any], Awaitable[tuple[Change, ...]]] | None = None
    trial: Callable[[ToolContext, Any], Awaitable[Tried | None]] | None = None
    reaches: bool = False
    outside: Callable[[Any, Place], str] | None = None
    summary: Callable[[Any, tuple[Change, ...]], str] | None = None
    core: bool = True  # named in the lean prompt; the others on demand
