"""The outer step: the workers' aggregate as a gradient of the shared weights.

Rate 1 without momentum is plain averaging. Below 1, with each worker on its own data, it is
Reptile (Nichol et al. 2018): weights from which each worker's data is learnt in few steps.
"""

from dataclasses import dataclass

import numpy as np

from training.sync.quantise import Values
from training.sync.state import State


@dataclass(frozen=True)
class Outer:
    """SGD, or Nesterov's where `momentum` is above nought (DiLoCo, Douillard et al. 2023)."""

    rate: float = 1.0
    momentum: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 2 or not 0 <= self.momentum < 1:  # noqa: PLR2004 - SGD diverges
            raise ValueError(f"an outer rate is in (0, 2] and a momentum in [0, 1): {self}")


def outer_step(state: State, update: Values | None, outer: Outer) -> State:
    """The state of the next round; without an update only its number changes."""
    number = state.round + 1
    if update is None:
        return State(number, state.weights, state.momentum, state.terms)
    rate, decay = np.float32(outer.rate), np.float32(outer.momentum)
    if not outer.momentum:
        return State(number, state.weights - rate * update, None, state.terms)
    before = np.zeros_like(update) if state.momentum is None else state.momentum
    momentum = np.asarray(decay * before + update, np.float32)
    weights = state.weights - rate * (update + decay * momentum)
    return State(number, np.asarray(weights, np.float32), momentum, state.terms)
