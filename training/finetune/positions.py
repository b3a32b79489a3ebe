"""Rotary positions of a model: their base, and Llama 3's way to slow the long waves down.

Source: transformers, modeling_rope_utils.py; llama.cpp takes the factors as `rope_freqs.weight`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

_PLAIN_BASE = 10_000.0
_LLAMA_3 = "llama3"


@dataclass(frozen=True)
class Positions:
    """`base` of the speeds; each is divided by its factor (none: all stay)."""

    base: float
    factors: tuple[float, ...] = ()

    def turns(self, length: int, head_width: int) -> tuple[Tensor, Tensor]:
        """Cosines and sines, each (length, head_width / 2)."""
        speeds = _speeds(self.base, head_width)
        if self.factors:
            speeds = speeds / torch.tensor(self.factors)
        angles = torch.outer(torch.arange(length).float(), speeds)
        return angles.cos(), angles.sin()


def positions_of(raw: Mapping[str, object], head_width: int) -> Positions:
    """Read config.json's keys, old and new; raises ValueError for a way not computed here."""
    given = raw.get("rope_parameters") or raw.get("rope_scaling") or {}
    if not isinstance(given, Mapping):
        raise TypeError("its rope parameters are no object")
    base = number(given.get("rope_theta", raw.get("rope_theta", _PLAIN_BASE)), "rope_theta")
    kind = given.get("rope_type", given.get("type")) or "default"
    if kind == "default":
        return Positions(base)
    if kind != _LLAMA_3:
        raise ValueError(f"its rotary positions are scaled ({kind!r}), which is not computed here")
    return Positions(base, _slowed(given, base, head_width))


def number(value: object, key: str) -> float:
    """A number above nought; raises ValueError."""
    if not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ValueError(f"its {key} is {value!r}")
    return float(value)


def _slowed(given: Mapping[str, object], base: float, head_width: int) -> tuple[float, ...]:
    """Waves longer than the old window are slowed by `factor`, short ones not, between evenly."""
    names = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")
    factor, low, high, window = (number(given.get(name), name) for name in names)
    if high <= low:
        raise ValueError("its high_freq_factor is not above its low_freq_factor")
    found = []
    for speed in _speeds(base, head_width).tolist():
        waves = window * speed / (2 * math.pi)  # that fit into the old window
        kept = min(1.0, max(0.0, (waves - low) / (high - low)))
        found.append(1 / ((1 - kept) / factor + kept))
    return tuple(found)


def _speeds(base: float, head_width: int) -> Tensor:
    speeds: Tensor = base ** (-torch.arange(0, head_width, 2).float() / head_width)
    return speeds
