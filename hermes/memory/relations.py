"""Ways to say who or what has which: port, owner, place, limit; different words, one meaning.

The ways are in `relations.toml`.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from hermes.memory.tables import table

_RELATIONS = [
    (name, re.compile(f"(?i)^{form}"))
    for name, forms in table("relations", dict[str, list[str]]).items()
    for form in forms
]


class Relation(NamedTuple):
    """What has it, what it is, and its value."""

    thing: str
    name: str
    value: str


def relations(text: str) -> Iterator[Relation]:
    """The first relation that a statement states."""
    for name, pattern in _RELATIONS:
        if match := pattern.match(text):
            thing = match.groupdict().get("e") or match.groupdict().get("e2") or ""
            yield Relation(thing, name, match["v"])
            return
