"""What can be said and how, read from the tables beside this file.

There are two pairs. The first one was at hand while the historian's rules were written; the
other one was written afterwards and without a look at them: its numbers are the honest ones.
"""

import random
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Literal

import msgspec

Tables = Literal["first", "other"]
Phrases = Mapping[str, tuple[str, ...]]

_SUFFIX: Mapping[Tables, str] = {"first": "", "other": "_other"}
_ENDLESS = 1_000
_LANGUAGES = ("de", "fr", "es")


class Subject(msgspec.Struct, frozen=True):
    """Something of which one value holds; `of`: of each component or person."""

    key: str
    type: str
    of: Literal["", "component", "person"]
    pool: str
    say: tuple[str, ...]
    order: tuple[str, ...]
    about: tuple[str, ...]
    ask: tuple[str, ...]
    de: tuple[str, ...] = ()
    fr: tuple[str, ...] = ()
    es: tuple[str, ...] = ()

    def clauses(self, language: str) -> tuple[str, ...]:
        """Whole clauses in a language; none: nobody says it in that one here."""
        others = {"de": self.de, "fr": self.fr, "es": self.es}
        return others.get(language, self.say)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages besides English that it can be said in."""
        return tuple(one for one in _LANGUAGES if self.clauses(one))


class Subjects(msgspec.Struct, frozen=True):
    """A table of subjects; `hop`: a question that takes two of them."""

    hop: str
    components: Phrases
    pools: Phrases
    subject: tuple[Subject, ...]


class Wrappings(msgspec.Struct, frozen=True):
    """A table of wrappings: how a clause becomes a message."""

    said: Phrases
    foreign: Phrases
    changed_foreign: Phrases
    ending: Phrases
    traps: Phrases
    injected: Phrases
    secret: Phrases
    chatter: Phrases


def read_subjects(tables: Tables) -> Subjects:
    """Read the subjects and what they can be."""
    return msgspec.convert(_table("subjects", tables), Subjects)


def read_wrappings(tables: Tables) -> Wrappings:
    """Read the ways of saying something."""
    return msgspec.convert(_table("wrappings", tables), Wrappings)


def left(subject: Subject, table: Subjects, taken: set[str]) -> int:
    """How many values are left that nothing else has in this project."""
    pool = table.pools[subject.pool]
    return len(set(pool) - taken) if pool else _ENDLESS


def value_of(subject: Subject, table: Subjects, chance: random.Random, taken: set[str]) -> str:
    """Draw a value that nothing else has in this project, and take it."""
    while True:
        if subject.pool == "number":
            value = str(chance.randrange(2001, 9990))
        elif subject.pool == "minutes":
            value = f"{chance.randrange(3, 999)} {chance.choice(('seconds', 'minutes'))}"
        else:
            value = chance.choice([one for one in table.pools[subject.pool] if one not in taken])
        if value not in taken:
            taken.add(value)
            return value


def filled(phrase: str, **words: str) -> str:
    """Put words into a phrase; those it does not want are ignored, braces in them kept."""
    return re.sub(r"\{(\w)\}", lambda found: words.get(found[1], found[0]), phrase)


def sentence(clause: str) -> str:
    """A clause as the beginning of a sentence."""
    return clause[:1].upper() + clause[1:]


def _table(name: str, tables: Tables) -> object:
    place = resources.files("hermes.testing.history")
    text = place.joinpath(f"{name}{_SUFFIX[tables]}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
