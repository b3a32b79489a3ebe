"""How far apart paired measurements lie: the Hodges-Lehmann estimate with its exact interval.

Source: Wilcoxon's signed-rank statistic, inverted (Hollander, Wolfe, Chicken 2014, 3.3). Assumes
that the differences are symmetric about their middle; ties are counted as if there were none.
"""

import math
import statistics
from functools import lru_cache
from typing import NamedTuple


class Interval(NamedTuple):
    """A middle and between which bounds it lies; infinite where there are too few values."""

    middle: float
    low: float
    high: float


def interval(values: list[float], alpha: float) -> Interval:
    """The middle of symmetric values, with bounds that miss it with probability `alpha` at most."""
    count = len(values)
    walsh = sorted((values[i] + values[j]) / 2 for i in range(count) for j in range(i, count))
    middle = statistics.median(walsh) if walsh else 0.0
    rank = _rank(count, alpha)
    if not rank:
        return Interval(middle, -math.inf, math.inf)
    return Interval(middle, walsh[rank - 1], walsh[-rank])


@lru_cache(maxsize=64)
def _rank(count: int, alpha: float) -> int:
    """How many Walsh averages lie outside at each end: from the exact distribution of the ranks."""
    most = count * (count + 1) // 2
    chance = [1.0] + [0.0] * most
    for rank in range(1, count + 1):
        for total in range(most, -1, -1):
            chance[total] = (chance[total] + (chance[total - rank] if total >= rank else 0.0)) / 2
    so_far = 0.0
    for total, one in enumerate(chance):
        so_far += one
        if so_far > alpha / 2:
            return total
    return most
