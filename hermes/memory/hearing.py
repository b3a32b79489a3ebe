"""Which of a person's sentences answer a question, and which of them hold no longer.

Heavy, for it knows the historian's doubts: loaded by `hermes.memory.said`, in a thread.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import NamedTuple

import msgspec

from hermes.core.ids import Cid
from hermes.memory.fit import covered
from hermes.memory.question import parts
from hermes.memory.relevance import standing
from hermes.memory.said import Asked, Found, Held, Key, Said
from hermes.memory.same import Meant, bearing, restates
from hermes.memory.statements import Reader, Statement
from hermes.memory.words import telling
from hermes.store.said import Typed, Vouching

_LEAST = 0.2  # of fit: less is no answer
_MOST = 40  # sentences that are compared with each other
_RETURNED = 12
_FADED = 0.7  # what is left of the score of a sentence that is very old
_SAYS = 0.6  # of a memory's words in a sentence: the sentence made it


class _Heard(NamedTuple):
    """A sentence or a memory that fits; `typed` None: a memory."""

    stated: Statement
    at: int
    fit: float
    words: tuple[str, ...]
    typed: Typed | None = None
    memory: int = 0
    lead: Key | None = None

    @property
    def key(self) -> Key:
        """As the hit is known that it becomes."""
        return (
            (self.memory, "", "") if self.typed is None else (0, self.typed.cid, self.stated.text)
        )


class _Fate(NamedTuple):
    """`until`: since when it holds no longer. `lead`: what it goes together with; newer.

    `hidden`: that says all of it. `ahead`: the question means this one rather.
    """

    until: int | None = None
    lead: Key | None = None
    hidden: bool = False
    ahead: bool = False

    @property
    def over(self) -> bool:
        """Whether something else stands in its place."""
        return self.hidden or self.until is not None or self.lead is not None


class _Past(NamedTuple):
    """What hides: memories that messages made, memories that are over; and the question."""

    made: dict[Cid, list[Vouching]]
    gone: list[tuple[Statement, int]]
    meant: Meant


class Hearing:
    """Judges what a person typed."""

    def __init__(self) -> None:
        self._reader = Reader()

    def judged(self, typed: Sequence[Typed], asked: Asked) -> Found:
        """The sentences that answer a question, the best first, none that hides a secret."""
        said = sorted(self._heard(typed, asked), key=lambda one: -one.fit)[:_MOST]
        known = [self._known(one, asked) for one in asked.held if one.ends is None]
        heard = sorted((*said, *known), key=lambda one: (one.at, one.memory > 0), reverse=True)
        past = _Past(_ends(asked.vouching), self._gone(asked.held), _meant(heard, asked))
        kept: list[Said] = []
        newest: list[_Heard] = []
        outdated: set[Key] = set()
        behind: dict[Key, Key] = {}
        ahead: set[Key] = set()
        for one in heard:
            fate = _fate(one, newest, past, asked.now)
            own_end = one.stated.ends is not None and one.stated.ends <= asked.now
            if not own_end:
                newest.append(one._replace(lead=fate.lead if fate.over else one.key))
            if fate.hidden and one.typed is not None:
                continue
            if fate.until is not None:
                outdated.add(one.key)
            if fate.lead is not None and not asked.past:
                behind[one.key] = fate.lead
                ahead |= {one.key} if fate.ahead else set()
            if one.typed is not None and not one.stated.retracts:
                kept.append(_said(one, one.typed, fate.until, asked.now))
        told = [one for one in _lifted(kept, behind) if asked.past or one.key not in outdated]
        return Found(tuple(self._open(told)), frozenset(outdated), behind, frozenset(ahead))

    def saying(self, typed: Sequence[Typed], content: str) -> tuple[Cid, ...]:
        """The messages with a sentence that says what a memory says."""
        wanted = frozenset(telling(content))
        return tuple(
            one.cid
            for one in typed
            if any(_says(s, wanted) for s in self._reader.statements(one.text, one.at))
        )

    def _heard(self, typed: Sequence[Typed], asked: Asked) -> Iterator[_Heard]:
        for one in typed:
            for statement in self._reader.statements(one.text, one.at):
                fit, words = covered(asked.worth, statement.core)
                if fit >= _LEAST or (statement.retracts and words):
                    yield _Heard(statement, one.at, fit, words, one)

    def _open(self, told: Iterable[Said]) -> list[Said]:
        """The first of them, without those that give a secret away."""
        some = islice(told, _RETURNED)
        return [one for one in some if not self._reader.secret(one.content)]

    def _known(self, one: Held, asked: Asked) -> _Heard:
        fit, words = covered(asked.worth, one.content)
        return _Heard(self._reader.memory(one.content), one.at, fit, words, memory=one.memory)

    def _gone(self, held: Iterable[Held]) -> list[tuple[Statement, int]]:
        """What memories said that are over, and when that was known."""
        return [
            (self._reader.memory(one.content), one.ends) for one in held if one.ends is not None
        ]


def _meant(heard: Iterable[_Heard], asked: Asked) -> Meant:
    met = frozenset(chain.from_iterable(one.words for one in heard))
    taken = parts(asked.query, asked.worth)
    return Meant(asked.worth, taken, taken.hard & met)


def _fate(one: _Heard, newest: Iterable[_Heard], past: _Past, now: int) -> _Fate:
    """What becomes of one beside what is newer."""
    if one.typed is not None and any(m.content is None for m in past.made.get(one.typed.cid, ())):
        return _Fate(hidden=True)
    until = _until(one, past, now)
    lead, ahead = None, False
    for later in newest:
        if later.stated.retracts and one.typed is None:
            continue  # the historian has weighed it
        means = bearing(later.stated, one.stated, (later.words, one.words), past.meant)
        if means == "repeats":
            return _Fate(until, later.lead, hidden=True)
        # Of what the historian weighed, only another memory or a sure sign says more.
        sure = one.typed is not None or later.typed is None
        if means == "replaces" or (means == "rivals" and sure):
            until = later.at if until is None else min(until, later.at)
        if means and lead is None and not later.stated.retracts:
            lead, ahead = later.lead, means == "adds"
    return _Fate(until, lead, ahead=ahead)


def _lifted(kept: Sequence[Said], behind: Mapping[Key, Key]) -> list[Said]:
    """The best first; what stands for something older fits as well as that did."""
    best = {one.key: one.score for one in kept}
    for one in kept:
        if (lead := behind.get(one.key)) in best:
            best[lead] = max(best[lead], one.score)
    scored = [msgspec.structs.replace(one, score=best[one.key]) for one in kept]
    return sorted(scored, key=lambda one: (one.score, one.at), reverse=True)


def _until(one: _Heard, past: _Past, now: int) -> int | None:
    """When a sentence or what was made of it was over."""
    until: int | None = None
    if one.typed is not None:
        for made in past.made.get(one.typed.cid, ()):
            over = made.ends is not None and made.ends <= now
            if over and _says(one.stated, frozenset(telling(made.content or ""))):
                until = made.ends
        ended = [ends for gone, ends in past.gone if one.at < ends and restates(one.stated, gone)]
        until = min(ended, default=until)
    if one.stated.ends is not None and one.stated.ends <= now:
        until = one.stated.ends
    return until


def _said(one: _Heard, typed: Typed, until: int | None, now: int) -> Said:
    worth = standing("fact", 1.0, one.at, 0, now)
    return Said(
        content=one.stated.text,
        score=round(one.fit * (_FADED + (1 - _FADED) * worth), 3),
        at=one.at,
        cid=typed.cid,
        session=typed.session,
        words=one.words,
        until=until,
    )


def _ends(vouching: Iterable[Vouching]) -> dict[Cid, list[Vouching]]:
    by_cid: dict[Cid, list[Vouching]] = {}
    for one in vouching:
        by_cid.setdefault(one.cid, []).append(one)
    return by_cid


def _says(statement: Statement, wanted: Collection[str]) -> bool:
    return bool(wanted) and len(statement.stems & set(wanted)) >= _SAYS * len(wanted)
