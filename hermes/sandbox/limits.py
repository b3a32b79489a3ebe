"""What a run in a sandbox may use; apart, since the command line shows them without the rest."""

from dataclasses import dataclass

_MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What a run may use; bytes and seconds.

    `memory` and `file` bound one process, `tree_memory`, `cpu_s` and `processes` all of them
    together; `disk` and `inodes` everything that is written; `output` each stream.
    """

    memory: int = 1024 * _MIB
    tree_memory: int = 1536 * _MIB
    processes: int = 64
    open_files: int = 256
    file: int = 64 * _MIB
    disk: int = 128 * _MIB
    inodes: int = 20_000
    cpu_s: int = 60
    wall_s: float = 120.0
    output: int = 4 * _MIB
