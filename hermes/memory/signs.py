"""Signs in a statement: that it gives a number or a time, that something was otherwise before.

They weigh only beside a question that two statements answer; the expressions are in
`signs.toml`.
"""

import re

import msgspec

from hermes.memory.question import Wanted
from hermes.memory.tables import table


class _Signs(msgspec.Struct, frozen=True):
    number: str
    time: str
    change: str


_TABLE = table("signs", _Signs)
_NUMBER, _TIME = re.compile(_TABLE.number), re.compile(_TABLE.time)
_CHANGE = re.compile(_TABLE.change)


def gives(wanted: Wanted, text: str) -> bool:
    """Whether a text gives a value of a kind, as far as that can be told."""
    match wanted:
        case "number":
            return _NUMBER.search(text) is not None
        case "time":
            return _TIME.search(text) is not None
        case _:
            return True


def changing(text: str) -> bool:
    """Whether a text says that something was otherwise before."""
    return _CHANGE.search(text) is not None
