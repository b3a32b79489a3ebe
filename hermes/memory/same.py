"""Whether two statements answer the same question, so that the later one hides the earlier.

Pure. Nothing here knows what a statement means: it goes by the question's words that both
cover, by the slots that the historian's rules see, and by what a statement says it replaces.
"""

import re
from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple

from hermes.memory.question import Parts
from hermes.memory.signs import changing, gives
from hermes.memory.statements import Statement
from hermes.memory.values import corrects
from hermes.memory.words import stem

Bearing = Literal["", "repeats", "replaces", "rivals", "updates", "adds"]
"""`replaces`: it says so, or the rules see one slot; `rivals`: both answer the question alone.
In different words both are about what the question is about: `updates`: the later one has a sign
of change, or answers no less; `adds`: it may also say something else."""

_ALIKE = 0.9  # of the question's worth that one covers, so much has to be covered by the other
_ANSWERS = 0.6  # of the question's worth: so much answers it
_SHARED = 2
_FEW = 3
_OWNED = re.compile(r"([^\W_]+)'s ([^\W_]+) (?:is|are|was|were|has|have)\b")
_OTHERS = 7  # telling words beyond the shared ones: more is another matter


class Meant(NamedTuple):
    """A question: what its words say, its parts, and those that anything found is about."""

    worth: Mapping[str, float]
    parts: Parts
    about: frozenset[str]


def bearing(
    later: Statement,
    earlier: Statement,
    covers: tuple[Collection[str], Collection[str]],
    asked: Meant,
) -> Bearing:
    """What a later statement means for an earlier one, as far as a question is concerned.

    Args:
        later: said after the other.
        earlier: said before.
        covers: the question's words that each of them covers.
        asked: the question.
    """
    mine, theirs = dict(later.slots), dict(earlier.slots)
    both = mine.keys() & theirs.keys()
    if later.retracts:
        return "replaces" if both or _most(later.stems, earlier.stems) else ""
    apart = bool(mine and theirs and not both)  # the rules know both, as of two things
    if _says_over(later, earlier, apart=apart):
        return "replaces"
    if both or earlier.stems <= later.stems:
        return _again(later, earlier, asked, alike=all(mine[key] == theirs[key] for key in both))
    if apart or _of_another(later, earlier, frozenset(covers[1]), asked):
        return ""
    means = _by_question(later, earlier, covers, asked)
    return means or _beside(later, earlier, covers, asked)


def _again(later: Statement, earlier: Statement, asked: Meant, *, alike: bool) -> Bearing:
    """What it means that it says all of the earlier one, or fills the same slot."""
    told = later.look.tellers & later.stems
    if alike and _shifts(later) and told - earlier.stems - asked.worth.keys():
        return "updates"  # it names the old value and a new one
    return "repeats" if alike else "replaces"


def _says_over(later: Statement, earlier: Statement, *, apart: bool) -> bool:
    """Whether it names the earlier value as over, or corrects something of its look."""
    if later.old and later.old <= earlier.stems and (later.stems - later.old) & earlier.stems:
        return True
    return not apart and later.changed and corrects(later.look, earlier.look)


def _by_question(
    later: Statement,
    earlier: Statement,
    covers: tuple[Collection[str], Collection[str]],
    asked: Meant,
) -> Bearing:
    worth = asked.worth
    one, other = (sum(worth[word] for word in some) for some in covers)
    common = sum(worth[word] for word in set(covers[0]) & set(covers[1]))
    if common and common == other < one and one >= _ANSWERS * sum(worth.values()):
        return "rivals"  # what is said later answers more of it
    named = asked.parts.hard | (asked.parts.soft & {*covers[0], *covers[1]})
    whole = len(named) >= _SHARED and named <= {*covers[0]} & {*covers[1]}
    shared = later.stems & earlier.stems
    if not common or common < _ALIKE * max(one, other) or (len(shared) < _SHARED and not whole):
        return ""
    rest, gone = later.stems - earlier.stems, earlier.stems - later.stems
    if max(len(rest), len(gone)) > _OTHERS:
        return ""
    told = later.look.tellers
    same = not rest or (told and told == earlier.look.tellers)
    return "repeats" if same else "rivals"


def _beside(
    later: Statement,
    earlier: Statement,
    covers: tuple[Collection[str], Collection[str]],
    asked: Meant,
) -> Bearing:
    """Whether both name all that a question is about, and the later one may answer it, too."""
    mine, theirs = frozenset(covers[0]), frozenset(covers[1])
    rest = later.stems - earlier.stems - asked.worth.keys()
    if not rest or not asked.about & mine & theirs or _tells_less(later, earlier, asked):
        return ""
    alike = _kind(later) == _kind(earlier)
    if not asked.about <= mine & theirs:
        things = later.look.things
        return "updates" if later.changed and alike and things and things <= earlier.stems else ""
    whole = len(asked.about) >= _SHARED
    as_much = mine >= theirs or (_shifts(later) and mine >= theirs & asked.parts.types)
    if alike and as_much:
        return "updates"
    return "adds" if whole or (alike and _shifts(later)) else ""


def _kind(stated: Statement) -> str:
    """What kind of value it gives: of a word it cannot be told whether it is a name."""
    return "word" if stated.look.kind == "name" else stated.look.kind


def _of_another(later: Statement, earlier: Statement, covers: frozenset[str], asked: Meant) -> bool:
    """Whether it is about what only belongs to the thing: "the owner's deputy is …"."""
    if not asked.parts.hard | asked.parts.soft <= covers:
        return False  # no plain answer that the later one could be held against
    known = earlier.stems | asked.worth.keys()
    pairs = [(stem(one.lower()), stem(two.lower())) for one, two in _OWNED.findall(later.core)]
    return any(owner in asked.parts.hard and what not in known for owner, what in pairs)


def _shifts(later: Statement) -> bool:
    """Whether it says that something was otherwise before."""
    return later.changed or changing(later.text)


def _tells_less(later: Statement, earlier: Statement, asked: Meant) -> bool:
    return _gives(earlier, asked) and not _gives(later, asked)


def _gives(stated: Statement, asked: Meant) -> bool:
    """Whether a statement gives a value of the kind that a question wants."""
    if asked.parts.wants == "name":
        return bool(stated.look.names - asked.worth.keys())
    return gives(asked.parts.wants, stated.core)


def restates(said: Statement, over: Statement) -> bool:
    """Whether a sentence says what holds no longer, and not that it holds again."""
    if said.changed or said.retracts:
        return False
    mine, theirs = dict(said.slots), dict(over.slots)
    return (len(over.stems) >= _SHARED and over.stems <= said.stems) or any(
        mine[key] == theirs[key] for key in mine.keys() & theirs.keys()
    )


def _most(taken: frozenset[str], stems: frozenset[str]) -> bool:
    """Whether a statement has what is taken back: every word of it, or of many all but one."""
    return bool(taken) and len(taken - stems) <= (len(taken) > _FEW)
