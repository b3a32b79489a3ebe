"""What a question is about, and what it asks of it. Pure; by its form, not by its subject.

"Where do the nightly dumps go?" is about nightly dumps and asks for a place: an answer has to
name the dumps, and may say "land on" for "go to". Without a parser: it goes by question words,
by where a verb stands in English questions, and by verbs that say little in any sentence.
"""

import re
from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

from hermes.memory.tables import table
from hermes.memory.words import is_small, plain_words, stem

Wanted = Literal["", "number", "name", "time"]

_WORDS = {
    name: frozenset(words.split()) for name, words in table("question", dict[str, str]).items()
}
_WHICH, _MANY, _HOW = _WORDS["which"], _WORDS["many"], _WORDS["how"]
_WANTED: dict[str, Wanted] = {
    **dict.fromkeys(_WORDS["name"], "name"),
    **dict.fromkeys(_WORDS["time"], "time"),
    **dict.fromkeys(_MANY, "number"),
}
_ASKING = _WHICH | _WANTED.keys() | _WORDS["place"]
_PERIODS, _PRONOUNS = _WORDS["periods"], _WORDS["pronouns"]
_BE, _DO = _WORDS["be"], _WORDS["do"]
_HELPING = _BE | _DO | _WORDS["helping"]
_LIGHT, _LINKS = _WORDS["light"], _WORDS["links"]
_DONE = re.compile(
    r"^(?:\w{2,}(?:ed|en|wn|nt)|ge\w{2,}t|kept|set|held|built|paid|put|done|read|run|cut|hung|led|"
    r"met|told|sold|bought|brought|made|stored|fed)$"
)


class Parts(NamedTuple):
    """A question's stems: what it is about, and the rest; and the kind of value it wants.

    `types`: of the rest, those that say what kind of thing the answer is.
    """

    hard: frozenset[str]
    soft: frozenset[str]
    types: frozenset[str] = frozenset()
    wants: Wanted = ""


def parts(question: str, stems: Collection[str]) -> Parts:
    """Take a question apart; `stems`: its telling ones."""
    words = [word for word in plain_words(question) if word != "s"]
    at = next((place for place, word in enumerate(words) if word in _ASKING), None)
    if at is None:
        return Parts(frozenset(stems), frozenset())
    which = _after_which(words, at)
    light = (word for word in words if word in _LIGHT | _LINKS)
    soft = frozenset(map(stem, (*which, *_verb(words, at), *light))) & frozenset(stems)
    hard = frozenset(stems) - soft - frozenset(map(stem, _ASKING))
    if not hard:
        return Parts(soft or frozenset(stems), hard)
    return Parts(hard, soft, soft & frozenset(map(stem, which[:1])), _wanted(words, at))


def _wanted(words: Sequence[str], at: int) -> Wanted:
    behind = words[at + 1] if at + 1 < len(words) else ""
    if words[at] in _WHICH and set(words[at + 1 : at + 3]) & _PERIODS:
        return "time"
    return _WANTED.get(behind) or _WANTED.get(words[at]) or ("number" if behind in _HOW else "")


def _after_which(words: Sequence[str], at: int) -> list[str]:
    """Of "which parking bay is …" the bay; of "what tool runs the …" both."""
    start = at + 1
    if start < len(words) and words[start] in _MANY | _HOW:
        return list(words[start : start + 1 + (words[start] in _MANY)])
    if words[at] not in _WHICH:
        return [words[start]] if words[at] in _WANTED and _tells(words, start) else []
    end = start
    while _tells(words, end):
        end += 1
    named = words[start:end]
    helped = end < len(words) and words[end] in _HELPING | _LIGHT
    return list(named[-1:] if helped else named[-2:])


def _verb(words: Sequence[str], at: int) -> list[str]:
    """The verb behind "do they", "does the choir"; the participle behind "are reports"."""
    begin = next((i for i in range(at, len(words)) if words[i] in _DO | _BE), None)
    if begin is None:
        return []
    rest = words[begin + 1 :]
    ends = [i for i in range(len(rest)) if _tells(rest, i) and not _tells(rest, i + 1)]
    if words[begin] in _DO:
        if rest and rest[0] in _PRONOUNS:
            return [next((word for word in rest[1:] if not is_small(word)), "")]
        ends = [i for i in ends if any(_tells(rest, j) for j in range(i))][:1]
        return [rest[i] for i in ends if i + 1 == len(rest) or rest[i + 1] not in _LIGHT]
    last = ends[-1] if ends else 0
    return [rest[last]] if last and _DONE.match(rest[last]) else []


def _tells(words: Sequence[str], place: int) -> bool:
    if not 0 <= place < len(words):
        return False
    return not is_small(words[place]) and words[place] not in _LIGHT | _LINKS
