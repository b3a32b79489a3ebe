"""The order of what was found: two rankings become one, and the older stands behind the newer.

Pure, and apart from what a hit is.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, Self, TypeVar

from hermes.memory.said import Found, Key

K = 60
"""Of reciprocal rank fusion, as Cormack, Clarke and Büttcher have it."""

_OTHERS = 2  # hits that one hit shows besides itself


class Hit(Protocol):
    """Something found."""

    @property
    def key(self) -> Key:
        """Its name."""
        ...

    @property
    def line(self) -> str:
        """What it says."""
        ...

    @property
    def score(self) -> float:
        """How good it is by itself."""
        ...

    def beside(self, score: float, others: tuple[str, ...]) -> Self:
        """The same as one with others."""
        ...


T = TypeVar("T", bound=Hit)


def fused(memories: Sequence[T], said: Sequence[T]) -> list[T]:
    """Both sources by reciprocal rank: in their own order, and by score; memories first."""
    places = [(place, True, one) for place, one in enumerate(memories, 1)]
    places += [(place, False, one) for place, one in enumerate(said, 1)]
    by_score = sorted(places, key=lambda one: -one[2].score)
    ranked = [
        (1 / (K + place) + 1 / (K + rank), first, one)
        for rank, (place, first, one) in enumerate(by_score, 1)
    ]
    return [one for _, _, one in sorted(ranked, key=lambda one: one[:2], reverse=True)]


def folded(found: Sequence[T], heard: Found) -> list[T]:
    """Hits about the same as one, at the best one's place; what holds no longer only leaves its.

    The newest leads, unless an older one fits the question better: then it says what came later.
    """
    known = {one.key: one for one in found}
    groups: dict[Key, list[T]] = defaultdict(list)
    for one in found:
        groups[_lead(one.key, heard.behind, known)].append(one)
    return [_as_one(key, some, heard) for key, some in groups.items() if key not in heard.outdated]


def _lead(key: Key, behind: Mapping[Key, Key], known: Collection[Key]) -> Key:
    """The last one behind which a hit stands, of those that were found."""
    while (after := behind.get(key)) in known and after is not None:
        key = after
    return key


def _as_one(newest: Key, some: Sequence[T], heard: Found) -> T:
    shown = [one for one in some if one.key not in heard.outdated]
    front = next((one for one in shown if one.key in heard.ahead), None)
    lead = front or next(one for one in shown if one.key == newest)
    others = [one for one in shown if one is not lead][:_OTHERS]
    lines = tuple(f"{'later' if one.key == newest else 'earlier'}: {one.line}" for one in others)
    score = max(one.score for one in some)
    return lead.beside(score, lines) if some[1:] else lead
