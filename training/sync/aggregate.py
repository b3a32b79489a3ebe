"""One update out of what several workers sent, some of which may be garbage.

Same messages, same bytes out, on every machine: in the order of names, elementwise in float32,
and factors rounded so that a CPU's own order of summing does not show. It does not guard
against a majority that lies together, nor against a small lie in the right direction.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hermes.errors import SyncDiverged, SyncRefused
from training.sync.compress import Contribution, unpack
from training.sync.quantise import Values
from training.sync.state import State

_JUDGED = 3  # with fewer, nobody can say who is the outlier
_ROUGH = 16  # bits of a factor that count


@dataclass(frozen=True)
class Guard:
    """What is done against bad contributions.

    Args:
        clip: no contribution weighs more than the median one.
        trim: the share of highest and of lowest values left out, weight by weight.
        cosine: the least likeness to the mean of the others; below it, refused.
    """

    clip: bool = True
    trim: float = 0.0
    cosine: float = 0.02

    def __post_init__(self) -> None:
        if not 0 <= self.trim < 0.5 or not -1 <= self.cosine < 1:  # noqa: PLR2004 - a half is all
            raise ValueError(f"trim is in [0, 0.5) and cosine in [-1, 1): {self}")


@dataclass(frozen=True)
class Outcome:
    """The update (None: nobody's was usable) and who was refused, with the reason."""

    update: Values | None
    refused: Mapping[str, str]


def read_all(messages: Mapping[str, bytes], state: State) -> tuple[dict[str, Values], Outcome]:
    """The contributions that belong to this state; the others in the outcome, refused.

    Raises:
        SyncDiverged: more than half worked from other weights, so ours are wrong.
    """
    read: dict[str, Contribution] = {}
    refused: dict[str, str] = {}
    for name in sorted(messages):
        try:
            read[name] = unpack(messages[name], len(state.weights))
        except SyncRefused as error:
            refused[name] = error.message
    bases = Counter(one.base for one in read.values() if one.round == state.round)
    for base, count in bases.items():
        if base != state.digest and 2 * count > len(read):
            raise SyncDiverged(f"most workers have other weights before round {state.round}")
    for name, one in tuple(read.items()):
        if one.round != state.round or one.base != state.digest:
            refused[name] = f"it is for round {one.round} or for other weights"
            del read[name]
    return {name: one.values for name, one in read.items()}, Outcome(None, refused)


def aggregate(sent: Mapping[str, Values], guard: Guard) -> Outcome:
    """Refuse what cannot be or points elsewhere, clip to the median norm, average."""
    refused: dict[str, str] = {}
    norms = {name: _norm(sent[name]) for name in sorted(sent)}
    for name, norm in tuple(norms.items()):
        if not math.isfinite(norm) or norm == 0:
            refused[name] = "its values are no numbers, or all nought"
            del norms[name]
    if not norms:
        return Outcome(None, refused)
    clipped = {name: sent[name] for name in norms}
    if guard.clip:
        middle = sorted(norms.values())[(len(norms) - 1) // 2]
        clipped = {
            name: sent[name] * _rough(min(1.0, middle / norm)) for name, norm in norms.items()
        }
    for name, likeness in _likeness(clipped).items():
        if likeness < guard.cosine:
            refused[name] = f"it points elsewhere than the others (cosine {likeness:.3f})"
    kept = [values for name, values in clipped.items() if name not in refused]
    return Outcome(_mean(kept, guard.trim) if kept else None, refused)


def _likeness(sent: Mapping[str, Values]) -> dict[str, float]:
    """The cosine of each to the mean of the others."""
    if len(sent) < _JUDGED:
        return {}
    total = _sum(list(sent.values()))
    found = {}
    for name, values in sent.items():
        others = total - values
        size = _norm(values) * _norm(others)
        found[name] = float(np.vdot(values, others)) / size if size > 0 else 0.0
    return found


def _mean(sent: list[Values], trim: float) -> Values:
    cut = int(len(sent) * trim)
    if cut:
        ordered = np.sort(np.stack(sent), axis=0)
        sent = list(ordered[cut : len(sent) - cut])
    return _sum(sent) / np.float32(len(sent))


def _sum(sent: list[Values]) -> Values:
    total = np.zeros_like(sent[0])
    for values in sent:
        total += values
    return total


def _norm(values: Values) -> float:
    return math.sqrt(float(np.sum(np.square(values, dtype=np.float64))))


def _rough(factor: float) -> np.float32:
    mantissa, exponent = math.frexp(factor)
    return np.float32(math.ldexp(round(mantissa * 2**_ROUGH), exponent - _ROUGH))
