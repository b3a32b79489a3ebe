"""How well a skill fits what the person asked for, by words alone, 0 to 1.

Only the person's words and the skill's own front matter count: no model, no tool result.
"""

import re
from collections.abc import Sequence

from hermes.memory.skills.skill import Skill

FITS = 0.5
"""From here a skill is named before the others."""
SURE = 0.75
"""From here its instructions may stand in the prompt at once."""

_WORD = re.compile(r"[^\W_]+")
_SHORTEST = 3
_EMPTY = frozenset(
    _WORD.findall(
        "about after all also and any are asks because been before but can could das der die does "
        "een ein eine einem einen either est for from get has have her het his how into its "
        "les let like make may mentions more most must need needs not off one only other our out "
        "over per please should some such task tasks than that the their them there these they "
        "this those tool tools und une use used user uses using was want wants well were what when "
        "where whether which while who why will with work working would you your skill skills"
    )
)
_ENDINGS = ("ings", "ing", "ies", "ed", "es", "s")
_STEM = 3


def fit(skill: Skill, text: str) -> float:
    """How well a skill fits a request.

    A trigger (metadata `triggers`, parted by commas) that stands in the request is enough;
    else the share of the name's words that do, or, from two words on, how much of the shorter
    of request and description the other has.
    """
    if any(
        _within(_stems(each), _stems(text))
        for each in skill.metadata.get("triggers", "").split(",")
    ):
        return 1.0
    asked = set(_words(text))
    if not asked:
        return 0.0
    name = set(_words(skill.name))
    told = set(_words(skill.description)) | name
    shared = len(asked & told)
    by_name = 0.9 * len(asked & name) / len(name) if name else 0.0
    by_words = shared / min(len(asked), len(told)) if told else 0.0
    return round(max(by_name, by_words if shared > 1 else 0.0), 3)


def _words(text: str) -> list[str]:
    """The telling ones."""
    found = (word.casefold() for word in _WORD.findall(text))
    return [_stem(word) for word in found if len(word) >= _SHORTEST and word not in _EMPTY]


def _stems(text: str) -> list[str]:
    return [_stem(word.casefold()) for word in _WORD.findall(text)]


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _STEM:
            return word.removesuffix(ending)
    return word


def _within(phrase: Sequence[str], said: Sequence[str]) -> bool:
    size = len(phrase)
    starts = range(len(said) - size + 1) if size else range(0)
    return any(list(said[at : at + size]) == list(phrase) for at in starts)
