"""Which of a person's sentences answer a question, and which of them hold no longer.

Heavy, for it knows the historian's doubts: loaded by `hermes.memory.said`, in a thread.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from hermes.core.ids import Cid
from hermes.memory.fit import covered
from hermes.memory.relevance import standing
from hermes.memory.said import Asked, Found, Said
from hermes.memory.same import bearing
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


class Hearing:
    """Judges what a person typed."""

    def __init__(self) -> None:
        self._reader = Reader()

    def judged(self, typed: Sequence[Typed], asked: Asked) -> Found:
        """The sentences that answer a question, the best first, none that hides a secret."""
        said = sorted(self._heard(typed, asked), key=lambda one: -one.fit)[:_MOST]
        known = [
            _Heard(
                self._reader.memory(one.content),
                one.at,
                *covered(asked.worth, one.content),
                memory=one.memory,
            )
            for one in asked.held
        ]
        ends = _ends(asked.vouching)
        kept: list[Said] = []
        newest: list[_Heard] = []
        outdated: set[int] = set()
        for one in sorted((*said, *known), key=lambda one: (one.at, one.memory > 0), reverse=True):
            hidden, until = self._hidden(one, newest, ends, asked)
            own_end = one.stated.ends is not None and one.stated.ends <= asked.now
            if not own_end:
                newest.append(one)
            if one.typed is None:
                outdated |= {one.memory} if until is not None else set()
            elif not hidden and not one.stated.retracts and (until is None or asked.past):
                kept.append(_said(one, one.typed, until, asked.now))
        kept.sort(key=lambda one: (one.score, one.at), reverse=True)
        told = [one for one in kept[:_RETURNED] if not self._reader.secret(one.content)]
        return Found(tuple(told), frozenset(outdated))

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

    def _hidden(
        self, one: _Heard, newest: Iterable[_Heard], ends: dict[Cid, list[Vouching]], asked: Asked
    ) -> tuple[bool, int | None]:
        """Whether something says the same already; and since when it holds no longer."""
        until: int | None = None
        if one.typed is not None:
            for made in ends.get(one.typed.cid, ()):
                if made.content is None:
                    return True, None
                over = made.ends is not None and made.ends <= asked.now
                if over and _says(one.stated, frozenset(telling(made.content))):
                    until = made.ends
        if one.stated.ends is not None and one.stated.ends <= asked.now:
            until = one.stated.ends
        for later in newest:
            if later.stated.retracts and one.typed is None:
                continue  # the historian has weighed it
            means = bearing(later.stated, one.stated, (later.words, one.words), asked.worth)
            if means == "repeats":
                return True, until
            # Of what the historian weighed, only another memory or a sure sign says more.
            sure = one.typed is not None or later.typed is None
            if means == "replaces" or (means == "rivals" and sure):
                until = later.at if until is None else min(until, later.at)
        return False, until


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
