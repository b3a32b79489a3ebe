"""What a short statement is about and what kind of value it gives, as far as its look tells.

For statements that say of themselves that they correct something: "4896 unlocks the orchard"
corrects "the lock of the orchard stands at 6011", because both give the orchard a number.
"""

import re
from typing import Literal, NamedTuple

from hermes.memory.words import telling

Kind = Literal["span", "number", "name", "word"]

_THING = re.compile(
    r"(?i)\b(?:the|our|my|your|their|his|her|der|die|das|unser\w*|mein\w*|le|la|les|notre|nos|el|"
    r"los|las|"
    r"nuestr\w+|mi)\s+(?P<what>[^\W\d_][\w-]*(?:\s+(?!is\b|are\b|of\b|in\b|to\b|"
    r"for\b|\w+(?:s|ed)\b)[a-z][\w-]*)?)"
)
_OWNER = re.compile(r"\b([A-Z][^\W\d_]+)'s\b")
_NAME = re.compile(r"(?<![.!?\w])(?:(?<=\s)|^)([A-Z][^\W\d_]+)\b(?!')")
_FIRST = re.compile(r"^([A-Z][^\W\d_]+) (?:[a-z]{2,}s|is|has)\b")
_SPAN = re.compile(
    r"(?i)\b\d[\d.,]*\s*(?:ms|s|secs?|seconds?|mins?|minutes?|h|hours?|days?|weeks?|months?|"
    r"years?|%|percent)\b"
)
_NUMBER = re.compile(r"\b\d+\b")
_IS = re.compile(r"(?i)\b(?:is|are|ist|sind|est|sont|es|son)\b")
_NO_NAMES = frozenset(
    ("The", "Our", "My", "It", "We", "You", "They", "This", "That", "All", "Every", "No", "Use")
)
_MOST = 6


class Look(NamedTuple):
    """The things and names in a statement, and the kind of its value.

    `copular`: it says that something is something. `tellers`: its names and numbers.
    """

    things: frozenset[str]
    kind: Kind
    names: frozenset[str]
    copular: bool
    tellers: frozenset[str]


def look(text: str) -> Look:
    """Look at a statement."""
    things = {stem for match in _THING.finditer(text) for stem in telling(match["what"])}
    names = {*_NAME.findall(text[1:]), *_OWNER.findall(text)}
    if (first := _FIRST.match(text)) and first[1] not in _NO_NAMES:
        names.add(first[1])
    stems = frozenset(stem for name in names for stem in telling(name))
    kind: Kind = "name" if stems else "word"
    if _NUMBER.search(text):
        kind = "span" if _SPAN.search(text) else "number"
    tellers = stems | frozenset(_NUMBER.findall(text))
    return Look(frozenset(things), kind, stems, _IS.search(text) is not None, tellers)


def corrects(one: Look, other: Look) -> bool:
    """Whether one may correct the other: of one thing, another value of the same kind."""
    mine, theirs = one.things | one.names, other.things | other.names
    shared = mine & theirs
    if not shared or one.kind != other.kind:
        return False
    if (one.things - theirs) and (other.things - mine):
        return False  # the lock of the kiln, the lock of the attic
    match one.kind:
        case "span" | "number":
            return True
        case "name":
            return bool(one.names - shared) and bool(other.names - shared)
        case "word":
            return one.copular and other.copular and len(mine | theirs) <= _MOST
