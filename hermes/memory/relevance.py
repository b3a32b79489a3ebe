"""What a memory is worth by itself, whatever is asked: it fades with time and grows with use.

Pure. The stored `relevance_score` stays what it was at promotion; this is what became of it.
"""

import math

_DAY_MS = 86_400_000
_HALF_LIFE_DAYS = {
    "architecture": 365.0,
    "correction": 365.0,
    "decision": 270.0,
    "pattern": 180.0,
    "fact": 180.0,
}
_OTHER_DAYS = 180.0
_GROWTH = 0.25  # for each e-fold of uses


def standing(memory_type: str, relevance: float, since: int, uses: int, now: int) -> float:
    """Relevance now, 0 to 1.

    Args:
        memory_type: what kind it is: a passing fact fades sooner than a correction.
        relevance: what it was promoted with.
        since: when it was promoted or last of use, whichever is later; ms.
        uses: how often it was of use.
        now: the time, ms.
    """
    days = max(0, now - since) / _DAY_MS
    faded = math.pow(0.5, days / _HALF_LIFE_DAYS.get(memory_type, _OTHER_DAYS))
    grown = 1.0 + _GROWTH * math.log1p(max(0, uses))
    return min(1.0, max(0.0, relevance * faded * grown))
