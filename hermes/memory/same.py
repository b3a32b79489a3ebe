"""Whether two statements answer the same question, so that the later one hides the earlier.

Pure. Nothing here knows what a statement means: it goes by the question's words that both
cover, by the slots that the historian's rules see, and by what a statement says it replaces.
"""

from collections.abc import Collection, Mapping
from typing import Literal

from hermes.memory.statements import Statement
from hermes.memory.values import corrects

Bearing = Literal["", "repeats", "replaces", "rivals"]
"""`replaces`: it says so, or the rules see one slot; `rivals`: both answer the question alone."""


_ALIKE = 0.9  # of the question's worth that one covers, so much has to be covered by the other
_ANSWERS = 0.6  # of the question's worth: so much answers it
_SHARED = 2
_FEW = 3
_OTHERS = 7  # telling words beyond the shared ones: more is another matter


def bearing(
    later: Statement,
    earlier: Statement,
    covers: tuple[Collection[str], Collection[str]],
    worth: Mapping[str, float],
) -> Bearing:
    """What a later statement means for an earlier one, as far as a question is concerned.

    Args:
        later: said after the other.
        earlier: said before.
        covers: the question's words that each of them covers.
        worth: what each of the question's words says.
    """
    mine, theirs = dict(later.slots), dict(earlier.slots)
    both = mine.keys() & theirs.keys()
    if later.retracts:
        return "replaces" if both or _most(later.stems, earlier.stems) else ""
    apart = bool(mine and theirs and not both)  # the rules know both, as of two things
    if _says_over(later, earlier, apart=apart):
        return "replaces"
    if both or earlier.stems <= later.stems:
        alike = all(mine[key] == theirs[key] for key in both)
        return "repeats" if alike else "replaces"
    return "" if apart else _by_question(later, earlier, covers, worth)


def _says_over(later: Statement, earlier: Statement, *, apart: bool) -> bool:
    """Whether it names the earlier value as over, or corrects something of its look."""
    if later.old and later.old <= earlier.stems and (later.stems - later.old) & earlier.stems:
        return True
    return not apart and later.changed and corrects(later.look, earlier.look)


def _by_question(
    later: Statement,
    earlier: Statement,
    covers: tuple[Collection[str], Collection[str]],
    worth: Mapping[str, float],
) -> Bearing:
    one, other = (sum(worth[word] for word in some) for some in covers)
    common = sum(worth[word] for word in set(covers[0]) & set(covers[1]))
    if common and common == other < one and one >= _ANSWERS * sum(worth.values()):
        return "rivals"  # what is said later answers more of it
    whole = common >= _ALIKE * sum(worth.values()) and len(worth) >= _SHARED
    shared = later.stems & earlier.stems
    if not common or common < _ALIKE * max(one, other) or (len(shared) < _SHARED and not whole):
        return ""
    rest, gone = later.stems - earlier.stems, earlier.stems - later.stems
    if max(len(rest), len(gone)) > _OTHERS:
        return ""
    told = later.look.tellers
    same = not rest or (told and told == earlier.look.tellers)
    return "repeats" if same else "rivals"


def _most(taken: frozenset[str], stems: frozenset[str]) -> bool:
    """Whether a statement has what is taken back: every word of it, or of many all but one."""
    return bool(taken) and len(taken - stems) <= (len(taken) > _FEW)
