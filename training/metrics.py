"""A run's figures as it goes: a line on the terminal, JSON lines on disk."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self, TextIO

from training.checkpoint import Progress

FILE = "metrics.jsonl"


class Metrics:
    """Appends to a run's `metrics.jsonl`; lines past the step that a run resumes at are dropped.

    `quiet`: another process of the group writes them.
    """

    def __init__(self, out: Path, step: int, *, quiet: bool = False) -> None:
        self.path, self._step, self._quiet = out / FILE, step, quiet
        self._file: TextIO | None = None
        self._last = (0.0, 0)

    def __enter__(self) -> Self:
        if self._quiet:
            return self
        kept = [line for line in read_metrics(self.path) if line["step"] <= self._step]
        self._file = self.path.open("w", encoding="utf-8")
        for line in kept:
            self._file.write(json.dumps(line) + "\n")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()
            sys.stderr.write("\n")

    def line(self, progress: Progress, loss: float, spent: float, rate: float) -> None:
        """Write one line; the speed is that since the line before."""
        if self._file is None:
            return
        seconds, tokens = self._last
        took = progress.seconds - seconds
        speed = (progress.tokens - tokens) / took if took > 0 else 0.0
        self._last = (progress.seconds, progress.tokens)
        given = {
            "step": progress.step,
            "minutes": round(progress.seconds / 60, 2),
            "tokens": progress.tokens,
            "loss": round(loss, 5),
            "mean_loss": round(progress.loss, 5),
            "rate": rate,
            "tokens_per_s": round(speed),
        }
        self._file.write(json.dumps(given) + "\n")
        self._file.flush()
        left = progress.seconds / 60 * (1 / spent - 1) if spent else 0.0
        bar = "#" * round(20 * spent)
        sys.stderr.write(
            f"\r[{bar:.<20}] {100 * spent:5.1f} %  step {progress.step}  "
            f"{progress.tokens / 1e6:.2f} M tokens  loss {progress.loss:.4f}  "
            f"{speed:,.0f} tokens/s  {left:.1f} min left "
        )
        sys.stderr.flush()


def read_metrics(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a metrics file; a last line that was cut off is left out."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            continue
