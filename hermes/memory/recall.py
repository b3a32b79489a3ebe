"""Which memories a question means, how well each fits, and why.

Two rankings, by words (FTS5) and by likeness (vectors, where there are any), are fused by
reciprocal rank; the score beside it says how good the fit is at all, whoever else is there.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol, Self

import msgspec

from hermes.core.clock import Clock
from hermes.memory.fit import covered, worths
from hermes.memory.past import asks_past, bare, onward
from hermes.memory.ranking import K, folded, fused
from hermes.memory.relevance import standing
from hermes.memory.said import Held, Key, Said, Sayings, day, together
from hermes.memory.words import begins_words, names, telling
from hermes.store.likely import Candidate, Word
from hermes.store.memory import Memory
from hermes.store.store import Store

_DEPTH = 50  # candidates of each ranking
_MEMORIES = 20  # that are put beside what was said
_SURE = 0.2  # of the best hit's score: below it nothing is looked up behind it
_DAY_MS = 86_400_000
_FADED = 0.7  # what is left of the score of a memory that has lost all its relevance
_OF_LATE = 0.35  # the score of what is known best, whatever is asked: it fades below any threshold
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
    """A memory that was found, its score 0 to 1, and why; `until`: ms at which it ended.

    `others`: lines of other hits about the same, each with when it was said beside this one.
    """

    memory: Memory
    score: float
    why: Reasons
    until: int | None = None
    others: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        """What it is known by."""
        return self.memory.id, "", ""

    def beside(self, score: float, others: tuple[str, ...]) -> Self:
        """The same as one with others."""
        return msgspec.structs.replace(self, score=score, others=others)

    @property
    def content(self) -> str:
        """What it says."""
        return self.memory.content

    @property
    def line(self) -> str:
        """What it says, and until when it held where it holds no longer."""
        until = "" if self.until is None else f"until {day(self.until)}: "
        return together(until + self.content, self.others)


Hit = Recalled | Said


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
        self._saids = store.saids
        self._sayings = Sayings(store.saids)

    async def ask(
        self,
        project_hash: str,
        query: str,
        limit: int = 5,
        now: int | None = None,
        *,
        least: float = 0.0,
    ) -> tuple[Hit, ...]:
        """What answers a question: memories, and what the person said besides, best first.

        A question about the past finds as well what holds no longer. Where the best hit names
        somebody or something that the question does not, one hit about that is added.
        """
        at = self._clock.now_ms() if now is None else now
        past = asks_past(query)
        query = bare(query) if past else query
        both = await self._both(project_hash, query, at, past=past)
        found = [one for one in both if one.score >= least][:limit]
        if limit > 1 and found and found[0].score >= _SURE:
            known = {one.content for one in found}
            behind = await self._behind(project_hash, query, found[0], at, past=past)
            found[1:1] = [one for one in behind if one.content not in known][:1]
        return tuple(found[:limit])

    async def _behind(
        self, project_hash: str, query: str, seed: Hit, at: int, *, past: bool
    ) -> list[Hit]:
        """What is known of whom a hit names, about what the hit leaves open; best first."""
        name, more = onward(query, _words(seed), seed.content)
        found = await self._both(project_hash, more, at, past=past) if name else []
        return [one.beside(one.score, ()) for one in found if name in _words(one)]

    async def forgetting(self, memory: Memory) -> None:
        """Hide what a person said of what is about to be forgotten."""
        cids = await self._sayings.saying(memory.project_hash, memory.content)
        await self._saids.hide(cids)

    async def _both(self, project_hash: str, query: str, at: int, *, past: bool) -> list[Hit]:
        found = await self.find(project_hash, query, _MEMORIES, at)
        over = await self._over(project_hash, query, at)
        held = [
            Held(one.memory.id, one.content, one.memory.promoted_at, one.until)
            for one in (*found, *over)
        ]
        heard = await self._sayings.find(project_hash, query, held, at, past=past)
        if past:
            current = [one for one in found if one.key not in heard.outdated]
            return fused((*current, *over), heard.said)
        return folded(fused(found, heard.said), heard)

    async def _over(self, project_hash: str, query: str, at: int) -> tuple[Recalled, ...]:
        """Memories that held once."""
        stems = telling(query)
        words = [Word(one, begins_words(one)) for one in stems]
        _, weights = await self._likely.by_words(project_hash, words, 1, at)
        worth = worths(stems, weights, names(query))
        found = [
            msgspec.structs.replace(
                _judged(one, covered(worth, one.memory.content), (0, 0, 0.0), at),
                until=one.memory.expires_at,
            )
            for one in await self._likely.over(project_hash, words, _MEMORIES, at)
        ]
        return tuple(sorted(found, key=lambda one: -one.score))

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
        worth = worths(stems, weights, names(query))
        fitting = {number: covered(worth, c.memory.content) for number, c in known.items()}
        # The index finds and orders; how well both sides cover each other tells more than bm25.
        best = sorted((c.memory.id for c in by_words), key=lambda one: -fitting[one][0])
        text_ranks = {number: rank for rank, number in enumerate(best, 1)}
        found = [
            _judged(
                one,
                fitting[number],
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
    fused = sum(1 / (K + rank) for rank in (why.text_rank, why.vector_rank) if rank)
    return fused * (1 - _NUDGE + _NUDGE * why.relevance), one.score, one.memory.id


def _words(one: Hit) -> tuple[str, ...]:
    return one.words if isinstance(one, Said) else one.why.words


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
