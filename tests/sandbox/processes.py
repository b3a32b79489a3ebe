"""What the tests of the shell need to see: which processes live, by a mark in their words."""

import os
from pathlib import Path

import anyio


def alive(mark: str) -> list[int]:
    """Pids of processes, zombies not counted, that carry the mark on their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace")
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if mark in words and state != "Z":
            found.append(int(entry.name))
    return found


async def until(condition, seconds: float = 10.0) -> None:
    """Wait for what another process does."""
    with anyio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 - another process tells nobody
            await anyio.sleep(0.005)
