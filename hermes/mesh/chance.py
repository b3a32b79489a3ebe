"""Chance that can be replayed: every draw is a pure function of a number carried in the state.

The state machines of the mesh hold no generator, so that a simulation with one seed runs the
same way twice. Not for keys or nonces that an opponent must not guess.
"""

from collections.abc import Sequence
from typing import TypeVar

_T = TypeVar("_T")
_MASK = (1 << 64) - 1


def stir(number: int) -> int:
    """Spread one 64-bit number over the whole range (splitmix64, Steele et al. 2014)."""
    number = (number + 0x9E3779B97F4A7C15) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)


def around(seed: int, middle: int, share: float = 0.2) -> int:
    """Give a number near the middle, off by at most that share of it: keeps nodes out of step."""
    width = int(middle * share)
    return middle - width + seed % (2 * width + 1)


def pick(seed: int, items: Sequence[_T], count: int) -> tuple[_T, ...]:
    """Choose so many different items, or all there are."""
    total = len(items)
    if total <= count:
        return tuple(items)
    chosen: dict[int, _T] = {}
    while len(chosen) < count:
        seed = stir(seed)
        chosen[seed % total] = items[seed % total]
    return tuple(chosen.values())


def shuffled(seed: int, items: Sequence[_T]) -> tuple[_T, ...]:
    """Put the items into another order (Fisher and Yates)."""
    order = list(items)
    for place in range(len(order) - 1, 0, -1):
        seed = stir(seed)
        other = seed % (place + 1)
        order[place], order[other] = order[other], order[place]
    return tuple(order)
