"""Which memories a question means, how well each fits, and why.

Two rankings, by words (FTS5) and by likeness (vectors, where there are any), are fused by
reciprocal rank; the score beside it says how good the fit is at all, whoever else is there.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from hermes.core.clock import Clock
from hermes.memory.relevance import standing
from hermes.memory.words import alike, begins_words, names, plain_words, stem, telling, telling_of
from hermes.store.likely import Candidate, Weights, Word
from hermes.store.memory import Memory
from hermes.store.store import Store

_K = 60  # of reciprocal rank fusion, as Cormack, Clarke and Büttcher have it
_DEPTH = 50  # candidates of each ranking
_DAY_MS = 86_400_000
_FADED = 0.7  # what is left of the score of a memory that has lost all its relevance
_OF_LATE = 0.35  # the score of what is known best, whatever is asked: it fades below any threshold
_NAMED = 2.0  # a name in the question says so much more: of another one it asks nothing
_NUDGE = 0.15  # how far relevance moves a memory in the order: some ten places of one ranking


class Reasons(msgspec.Struct, frozen=True, kw_only=True):
    """Why a memory was found; ranks from 1, 0: not in that ranking.

    `text`, `vector`: how well it fits by each, 0 to 1. `relevance`: what it is worth now.
    `words`: stems of the question that stand in it. `recent`: it is there for being of late.
    """

    text_rank: int = 0
    text: float = 0.0
    vector_rank: int = 0
    vector: float = 0.0
    relevance: float = 1.0
    age_days: float = 0.0
    uses: int = 0
    words: tuple[str, ...] = ()
    recent: bool = False


class Recalled(msgspec.Struct, frozen=True):
    """A memory that was found, its score 0 to 1, and why."""

    memory: Memory
    score: float
    why: Reasons


class Near(msgspec.Struct, frozen=True):
    """A memory by likeness: 1 the same, 0 nothing in common."""

    memory: int
    fit: float


class Likeness(Protocol):
    """Finds memories by what they are about (`hermes.memory.likeness.Vectors`)."""

    async def nearest(self, project_hash: str, query: str, limit: int) -> Sequence[Near]:
        """The most alike first; none where there are no vectors, never an error."""
        ...


class Recaller:
    """Finds the memories of one store."""

    def __init__(self, store: Store, clock: Clock, likeness: Likeness | None = None) -> None:
        self._likely = store.likely
        self._clock = clock
        self._likeness = likeness

    async def find(
        self,
        project_hash: str,
        query: str,
        limit: int = 5,
        now: int | None = None,
        *,
        least: float = 0.0,
    ) -> tuple[Recalled, ...]:
        """The live memories of a project that fit a question, best first.

        Args:
            project_hash: whose memories.
            query: the question, or any other words.
            limit: at most so many.
            now: the time in ms, for what has expired and what has faded; None: now.
            least: the least score.
        """
        at = self._clock.now_ms() if now is None else now
        stems = telling(query)
        words = [Word(one, begins_words(one)) for one in stems]
        by_words, weights = await self._likely.by_words(project_hash, words, _DEPTH, at)
        near = await self._near(project_hash, query)
        ranks = {one.memory: rank for rank, one in enumerate(near, 1)}
        known = {one.memory.id: one for one in by_words}
        unknown = [one.memory for one in near if one.memory not in known]
        if unknown:
            known |= {c.memory.id: c for c in await self._likely.by_ids(project_hash, unknown, at)}
        fits = {one.memory: one.fit for one in near}
        worth = _worths(stems, weights, names(query))
        covered = {number: _covered(worth, c.memory.content) for number, c in known.items()}
        # The index finds and orders; how well both sides cover each other tells more than bm25.
        best = sorted((c.memory.id for c in by_words), key=lambda one: -covered[one][0])
        text_ranks = {number: rank for rank, number in enumerate(best, 1)}
        found = [
            _judged(
                one,
                covered[number],
                (text_ranks.get(number, 0), ranks.get(number, 0), fits.get(number, 0.0)),
                at,
            )
            for number, one in known.items()
        ]
        found.sort(key=_order, reverse=True)
        return tuple(one for one in found if one.score >= least)[:limit]

    async def recent(
        self, project_hash: str, limit: int, now: int | None = None
    ) -> tuple[Recalled, ...]:
        """The newest live memories, with the small score that being of late gives them."""
        at = self._clock.now_ms() if now is None else now
        newest = await self._likely.newest(project_hash, limit, at)
        return tuple(_of_late(one, at) for one in newest)

    async def _near(self, project_hash: str, query: str) -> Sequence[Near]:
        if self._likeness is None or not query.strip():
            return ()
        return await self._likeness.nearest(project_hash, query, _DEPTH)


def _worths(stems: Sequence[str], weights: Weights, named: Collection[str]) -> Mapping[str, float]:
    """What each word of the question says: a name and a rare one much, a frequent one little."""
    total = weights.total
    return {
        one: math.log(1.0 + (max(0, total - having) + 0.5) / (having + 0.5))
        * (_NAMED if one in named else 1.0)
        for one, having in zip(stems, weights.having, strict=True)
    }


def _covered(worth: Mapping[str, float], content: str) -> tuple[float, tuple[str, ...]]:
    """How well a question and a memory cover each other, and the words that they share."""
    if not worth:
        return 0.0, ()
    said = plain_words(content)
    plain = frozenset(map(stem, said))
    shares = {
        one: 1.0 if one in plain else max((alike(one, two) for two in plain), default=0.0)
        for one in worth
    }
    shared = tuple(one for one, share in shares.items() if share)
    if not shared:
        return 0.0, ()
    met = sum(worth[one] * share for one, share in shares.items())
    of_question = met / sum(worth.values())
    usual = sum(worth.values()) / len(worth)
    others = sum(not any(alike(one, two) for one in shared) for two in telling_of(said))
    of_memory = met / (met + usual * others)
    return (of_question + of_memory) / 2, shared


def _judged(
    one: Candidate,
    text: tuple[float, tuple[str, ...]],
    place: tuple[int, int, float],
    now: int,
) -> Recalled:
    fit, words = text
    text_rank, vector_rank, vector = place
    worth = _standing(one, now)
    score = max(fit, vector) * (_FADED + (1 - _FADED) * worth)
    why = Reasons(
        text_rank=text_rank,
        text=round(fit, 3),
        vector_rank=vector_rank,
        vector=round(vector, 3),
        relevance=round(worth, 3),
        age_days=_days(one.memory, now),
        uses=one.uses,
        words=words,
    )
    return Recalled(one.memory, round(score, 3), why)


def _order(one: Recalled) -> tuple[float, float, int]:
    why = one.why
    fused = sum(1 / (_K + rank) for rank in (why.text_rank, why.vector_rank) if rank)
    return fused * (1 - _NUDGE + _NUDGE * why.relevance), one.score, one.memory.id


def _of_late(one: Candidate, now: int) -> Recalled:
    worth = round(_standing(one, now), 3)
    why = Reasons(relevance=worth, age_days=_days(one.memory, now), uses=one.uses, recent=True)
    return Recalled(one.memory, round(_OF_LATE * worth, 3), why)


def _standing(one: Candidate, now: int) -> float:
    memory = one.memory
    since = max(memory.promoted_at, one.last_used)
    return standing(memory.memory_type, memory.relevance_score, since, one.uses, now)


def _days(memory: Memory, now: int) -> float:
    return round(max(0, now - memory.promoted_at) / _DAY_MS, 1)


def ids(found: Iterable[Recalled]) -> tuple[int, ...]:
    """The numbers of what was found."""
    return tuple(one.memory.id for one in found)
