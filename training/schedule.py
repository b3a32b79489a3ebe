"""When a run does what: learning rate and row length by how much of the budget is spent."""

from collections.abc import Sequence
from dataclasses import dataclass

LAST = 0.01  # of the peak rate, at the very end


@dataclass(frozen=True)
class Phase:
    """Rows of `length` tokens until `until` (0 to 1) of the budget is spent."""

    length: int
    until: float


PHASES = (Phase(256, 0.55), Phase(768, 0.88), Phase(2_048, 1.0))


def parse_phases(text: str) -> tuple[Phase, ...]:
    """Read `256:0.55,768:0.88,2048:1`; ValueError where it isn't so."""
    phases = []
    for part in text.split(","):
        length, _, until = part.partition(":")
        phases.append(Phase(int(length), float(until or 1)))
    untils = [phase.until for phase in phases]
    if untils != sorted(untils) or untils[-1] != 1 or min(p.length for p in phases) < 1:
        raise ValueError(f"phases are LENGTH:UNTIL with rising UNTIL up to 1, not {text!r}")
    return tuple(phases)


def phase_at(phases: Sequence[Phase], spent: float) -> int:
    """The number of the phase at this share of the budget."""
    return next((i for i, phase in enumerate(phases) if spent < phase.until), len(phases) - 1)


@dataclass(frozen=True)
class Rate:
    """Learning rate: a warm-up in steps, constant, then down over the last part of the budget."""

    peak: float
    warmup: int = 80
    decay: float = 0.3

    def at(self, step: int, spent: float) -> float:
        """The rate of a step (from 0) when this share of the budget is spent."""
        rising = (step + 1) / (self.warmup + 1) if step < self.warmup else 1.0
        falling = max(LAST, (1 - spent) / self.decay) if self.decay > 0 else 1.0
        return self.peak * min(1.0, rising, falling)
