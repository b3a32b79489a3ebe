"""What a tree of processes uses, read from /proc: blocking, for the watchdog's thread.

Pages that no process has mapped (memfds, pipes) are in nobody's account here: the filter
refuses the first, the limits on descriptors and processes bound the second.
"""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_KEPT_FREE = 128 << 20
_KEPT_PART = 20  # or a twentieth of a small machine


@dataclass(frozen=True)
class Weight:
    """Bytes of anonymous and shared memory, seconds of CPU, processes.

    `machine_is_full`: the machine itself is about to run out of memory.
    """

    memory: int = 0
    cpu_s: float = 0.0
    processes: int = 0
    machine_is_full: bool = False


def weigh(pid: int) -> Weight:
    """Weigh a process and all below it; what ends meanwhile is left out."""
    pids = [pid]
    memory, ticks, count = 0, 0, 0
    for one in pids:  # grows as it goes
        with contextlib.suppress(OSError, ValueError, IndexError):
            pids += _children(one)
            memory += _memory(one)
            ticks += _ticks(one)
            count += 1
    return Weight(memory, ticks / _TICKS, count, _is_full())


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            found += [int(word) for word in (task / "children").read_text().split()]
    return found


def _memory(pid: int) -> int:
    total = 0
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(("RssAnon:", "RssShmem:")):
            total += int(line.split()[1]) << 10
    return total


def _ticks(pid: int) -> int:
    """Its own, and those of the children that it has buried."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(fields[at]) for at in (11, 12, 13, 14))


def _is_full() -> bool:
    found: dict[str, int] = {}
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines()[:3]:
            name, size = line.split()[:2]
            found[name] = int(size) << 10
    kept = min(_KEPT_FREE, found.get("MemTotal:", 0) // _KEPT_PART)
    return found.get("MemAvailable:", kept) < kept
