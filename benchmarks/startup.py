"""What it takes to start: `hermes --version` beside bare Python, and a chat's prompt."""

import sys
import time

from benchmarks import Row, at_most, told
from benchmarks.measure import HERMES, Sample, home, median, run
from benchmarks.owner import PROMPT
from benchmarks.terminal import terminal


def version(times: int) -> list[Row]:
    """Compare `--version` with a Python that does nothing, turn about."""
    ours: list[Sample] = []
    bare: list[Sample] = []
    with home() as env:
        for _ in range(times + 1):
            ours.append(run([HERMES, "--version"], env))
            bare.append(run([sys.executable, "-c", "pass"], env))
    rows = []
    for what in ("wall", "cpu"):
        # The first of each warms the file cache.
        us = median([getattr(one, what) for one in ours[1:]])
        it = median([getattr(one, what) for one in bare[1:]])
        rows.append(told(f"hermes --version, {what}", us * 1000, "ms", f"python {it * 1000:.1f}"))
        rows.append(at_most(f"hermes --version / python -c pass, {what}", us / it, "x", 3.0))
    return rows


def prompt_ready() -> float:
    """Milliseconds from start to the prompt, in a new home, the shipped model loading behind."""
    with home() as env:
        start = time.perf_counter()
        with terminal([HERMES, "chat"], env) as screen:
            return (screen.wait_for(PROMPT, 20) - start) * 1000


def main(quick: bool) -> list[Row]:  # noqa: FBT001 - the scripts' one signature
    """Measure."""
    ready = [prompt_ready() for _ in range(4 if quick else 10)][1:]
    return [*version(5 if quick else 20), at_most("chat: prompt ready", median(ready), "ms", 400)]
