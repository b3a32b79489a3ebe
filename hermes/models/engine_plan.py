"""How an engine is to run: the person's wishes made whole by the model's size and the machine.

Apart from the supervisor because it decides and does nothing.
"""

import os
import sys
from pathlib import Path

import msgspec

from hermes.config import Engine as EngineKind
from hermes.models.gguf import GgufInfo

SMALL_PARAMETERS = 300_000_000
_PLAIN_WINDOW = 4_096
_SMALL_SLOTS = 2
_TOPOLOGY = Path("/sys/devices/system/cpu")


class EnginePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner asks of its engine; 0 means chosen here.

    `runtime_dir`: where the private directory of the socket is made. `window` in tokens.
    `slots`: conversations evaluated side by side. `slots_dir`: where evaluated prefixes are
    saved (they hold prompts: a directory only its owner can read). `start_s`: the longest a
    model may load. `calm_s`: three deaths within it hold further starts back.
    """

    runtime_dir: Path
    kind: EngineKind = "xllamacpp"
    window: int = 0
    threads: int = 0
    slots: int = 0
    keep_alive_s: float = 300.0
    cache_ram_mib: int = 512
    slots_dir: Path | None = None
    python: str = sys.executable
    start_s: float = 600.0
    calm_s: float = 60.0


def window_of(info: GgufInfo, asked: int) -> int:
    """Tokens that prompt and answer share: what was asked, never beyond what the file can."""
    most = info.context_length or asked or _PLAIN_WINDOW
    return min(asked or most, most)


def slots_of(info: GgufInfo, asked: int) -> int:
    """How many conversations are evaluated side by side; each large slot costs memory."""
    return asked or (_SMALL_SLOTS if info.parameters < SMALL_PARAMETERS else 1)


def threads_of(info: GgufInfo, asked: int) -> int:
    """How many threads evaluate: one for a small model, else the free physical cores less one.

    Threads of one evaluation spin while they wait for each other: two of them on two busy cores
    took ten minutes for what one did in 17 s.
    """
    allowed = _allowed()
    if asked:
        return min(asked, len(allowed))
    if info.parameters < SMALL_PARAMETERS:
        return 1
    free = _physical(allowed) - round(os.getloadavg()[0])
    return max(1, free - 1)


def _allowed() -> frozenset[int]:
    if sys.platform == "linux":
        allowed = os.sched_getaffinity(0)
    else:
        allowed = set(range(os.cpu_count() or 1))
    return frozenset(allowed)


def _physical(allowed: frozenset[int]) -> int:
    """Cores behind the processors that may be used; a processor that says nothing counts as one."""
    cores = set()
    for cpu in allowed:
        try:
            core = (_TOPOLOGY / f"cpu{cpu}/topology/thread_siblings_list").read_text()
        except OSError:
            core = f"{cpu}"
        cores.add(core)
    return len(cores)
