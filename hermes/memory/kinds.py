"""What a project has one of at a time, and the words that people use for it.

Two values for one of these contradict each other. Only what is rarely used side by side stands
in `kinds.toml`; everything else is compared by its own words.
"""

import msgspec

from hermes.memory.tables import table
from hermes.memory.words import telling


class _Kinds(msgspec.Struct, frozen=True):
    things: dict[str, str]
    names: dict[str, list[str]]


_TABLE = table("kinds", _Kinds)
_LIGHT = frozenset(telling("come comes go goes get gets kommen gehen"))

KIND_OF = {word: kind for kind, words in _TABLE.things.items() for word in words.split()}
"""The kind of a thing, by its plain word."""


def normal(text: str) -> str:
    """Telling stems in alphabetical order."""
    return " ".join(sorted(set(telling(text))))


def named(text: str) -> str:
    """The kind that words mean, else the words in normal form without the lightest verbs."""
    stems = set(telling(text))
    kept = " ".join(sorted(stems - _LIGHT or stems))
    return NAME_OF.get(kept, kept)


NAME_OF = {
    " ".join(sorted(set(telling(name)) - _LIGHT)): kind
    for kind, names in _TABLE.names.items()
    for name in (*names, kind)
}
"""The kind that words in normal form mean."""
