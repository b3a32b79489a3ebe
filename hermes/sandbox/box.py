"""What a sandbox holds and how a run in it ended: values only, nothing here starts anything."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from hermes.sandbox.changes import Changes
from hermes.sandbox.limits import Limits

Tier = Literal["A", "A-", "B", "C"]
Why = Literal[
    "exit", "signal", "wall clock", "output", "memory", "processes", "cpu", "machine memory"
]

__all__ = ["HOME", "Bind", "Box", "Ended", "Limits", "Tier", "Used", "Why", "Wires"]

HOME = "/box"


@dataclass(frozen=True)
class Bind:
    """A file or directory of the machine that the inside can read at `target`.

    `closed`: as root, beside a workspace, one that the sandbox's user could not read itself.
    """

    source: Path
    target: Path
    closed: bool = False

    @classmethod
    def same(cls, path: Path) -> "Bind":
        """At the same place as outside."""
        return cls(path, path)


@dataclass(frozen=True)
class Box:
    """A sandbox: its limits and its view.

    Inside there are `/usr`, a writable `/box`, `/tmp` and `/dev/shm` of bounded size, what
    `read` names, `files` by place with their content, and no network but its own loopback
    (`inet` False: not even that). A `workspace` can be changed inside at its own path; outside
    it stays as it is, and the changes come back as a list; what lies at `hidden` in it is empty
    inside. `live`: it is the workspace itself, as it is at each moment, and cannot be changed.
    `idle`: it runs when nobody else wants the processor, where the machine has `chrt`.
    `env` is added to a bare environment. `network`: the machine's own, all of it. `metered`: the
    kernel's own account is asked for, a few ms.
    """

    limits: Limits = field(default_factory=Limits)
    read: tuple[Bind, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    workspace: Path | None = None
    hidden: tuple[Path, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = HOME
    inet: bool = True
    live: bool = False
    network: bool = False
    nice: int = 0
    idle: bool = False
    metered: bool = False


@dataclass(frozen=True)
class Wires:
    """What goes in and out: `stdin` as bytes; or descriptors in place of the streams.

    `stderr` may be `subprocess.STDOUT`. Streams that are given as descriptors are neither kept
    nor capped; with `collect` False none is kept, only told as it comes, up to the limit.
    `keep`: descriptors that are open inside under their own numbers, such as one end of a
    socket pair to a broker. The caller closes its own ends.
    """

    stdin: bytes | int = b""
    stdout: int | None = None
    stderr: int | None = None
    keep: tuple[int, ...] = ()
    collect: bool = True


@dataclass(frozen=True)
class Used:
    """What a run used by the kernel's account: `peak`, KiB of the largest process.

    Without processes that were left running: in `Ended.cpu_ms` they are.
    """

    cpu_us: int
    peak: int


@dataclass(frozen=True)
class Ended:
    """How a run ended: `why`, the exit code or minus the signal, what it printed and used.

    `stdout` and `stderr` hold at most `Limits.output` bytes each; `peak` is the greatest
    memory of the whole tree that was seen, `processes` the most at once and `cpu_ms` the
    processor time, both as the watchdog last saw them. `changes` only with a workspace,
    `used` only where the box was metered and nobody had to kill it.
    """

    why: Why
    status: int
    stdout: bytes
    stderr: bytes
    peak: int
    wall_ms: int
    tier: Tier
    changes: Changes | None = None
    cpu_ms: int = 0
    processes: int = 0
    used: Used | None = None

    @property
    def ok(self) -> bool:
        """It ended by itself, with exit code 0."""
        return self.why == "exit" and self.status == 0
