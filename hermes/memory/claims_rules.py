"""The forms of statements that last, when nothing marks them as such; they are in `forms.toml`.

What merely looks like one of them is refused by `claims_doubt`.
"""

import re
from typing import NamedTuple

import msgspec

from hermes.memory.tables import table
from hermes.store.claim import MemoryType


class Rule(NamedTuple):
    """A form: its name, what kind of memory it makes, whether the person's word is enough."""

    name: str
    memory_type: MemoryType
    pattern: re.Pattern[str]
    asserted: bool = True


class _Form(msgspec.Struct, frozen=True):
    name: str
    type: MemoryType
    patterns: list[str]
    asserted: bool = True


class _Back(msgspec.Struct, frozen=True):
    forget: str
    refuse: str


class _Forms(msgspec.Struct, frozen=True):
    form: list[_Form]
    taken_back: _Back


def _rule(form: _Form) -> Rule:
    pattern = re.compile(f"(?i)^(?:{'|'.join(form.patterns)})")
    return Rule(form.name, form.type, pattern, form.asserted)


_TABLE = table("forms", _Forms)
_BY_NAME = {form.name: _rule(form) for form in _TABLE.form}
LETS = _BY_NAME["let's"]
STATEMENT = _BY_NAME["said"]
CONTRAST = _BY_NAME.pop("contrast")
CLAUSE = _BY_NAME.pop("clause")
"""A clause as far as its look tells: only where a mark says that it is a statement."""

RULES = tuple(_BY_NAME.values())
"""In the order in which they are tried."""

FORGET = re.compile(_TABLE.taken_back.forget)
"""A person takes something back."""

REFUSED = re.compile(_TABLE.taken_back.refuse)
"""A person does not want what stands beside this to be kept."""
