"""Which facts are planted, how they change, and in what words each is said."""

import random
from collections.abc import Sequence
from typing import NamedTuple

from hermes.core.clock import rfc3339
from hermes.testing.history.subjects import (
    Subject,
    Subjects,
    Tables,
    Wrappings,
    filled,
    left,
    read_subjects,
    read_wrappings,
    sentence,
    value_of,
)
from hermes.testing.history.values import Fact, Fate, Saying, Style

DAY_MS = 86_400_000
_CHANGES = (0.5, 0.9)  # up to here one value, up to here two, else three
_STYLES: tuple[tuple[float, Style], ...] = (
    (0.35, "asked"), (0.65, "ruled"), (0.85, "passing"), (0.95, "foreign"), (1.01, "until")
)  # fmt: skip
_FORGOTTEN = 0.05
_EXPIRED = 0.5
_SAID_AGAIN = 0.25
_PLACES = 3  # sessions for each value: said, said again, taken back
FEWEST = 3 * _PLACES
"""Sessions that a project needs at least."""


class Spoken(NamedTuple):
    """A subject with its component in one project."""

    subject: Subject
    component: str


class Planter:
    """Plants the facts of one project after the other."""

    def __init__(self, chance: random.Random, now: int, tables: Tables) -> None:
        self.table: Subjects = read_subjects(tables)
        self.wrappings: Wrappings = read_wrappings(tables)
        self._chance = chance
        self._now = now

    def spoken(self) -> list[Spoken]:
        """Everything that can be said of a project, in any order."""
        every = [
            Spoken(subject, component)
            for subject in self.table.subject
            for component in (self.table.components[subject.of] if subject.of else ("",))
        ]
        self._chance.shuffle(every)
        return every

    def plant(
        self, project: int, told: Spoken, times: Sequence[int], taken: set[str], first: str = ""
    ) -> Fact:
        """Plant one fact: `times` are those of the project's sessions; `first`: its only value."""
        chance, subject = self._chance, told.subject
        style = self._style(subject)
        most = 1 if first or style == "until" else left(subject, self.table, taken)
        count = min(most, self._count())
        values = tuple(first or value_of(subject, self.table, chance, taken) for _ in range(count))
        at = sorted(chance.sample(range(len(times)), count * _PLACES))
        until, fate = self._fate(style, times[at[0]], keep=bool(first))
        sayings = self._sayings(told, values, style, until, at)
        if fate == "forgotten":
            sayings.append(Saying(at[-1], self._ending(told, values[-1]), "forgotten"))
        about = filled(chance.choice(subject.about), c=told.component)
        ask = filled(chance.choice(subject.ask), c=told.component)
        return Fact(
            project, subject.key, told.component, subject.type, values, style, fate, until,
            about, ask, tuple(sayings),
        )  # fmt: skip

    def clause(self, told: Spoken, value: str, language: str = "") -> str:
        """One way to say it."""
        phrase = self._chance.choice(told.subject.clauses(language))
        return filled(phrase, c=told.component, v=value)

    def words(self, told: Spoken, value: str, before: str = "", until: str = "") -> dict[str, str]:
        """What a wrapping may want."""
        clause = self.clause(told, value)
        order = filled(self._chance.choice(told.subject.order), c=told.component, v=value)
        about = filled(self._chance.choice(told.subject.about), c=told.component)
        asked = filled(self._chance.choice(told.subject.ask), c=told.component)
        return {
            "s": clause, "S": sentence(clause), "o": order, "O": sentence(order), "v": value,
            "w": before, "a": about, "q": sentence(asked), "d": until,
        }  # fmt: skip

    def _sayings(
        self, told: Spoken, values: Sequence[str], style: Style, until: str, at: Sequence[int]
    ) -> list[Saying]:
        said: list[Saying] = []
        for number, value in enumerate(values):
            before = values[number - 1] if number else ""
            how: Style = "changed" if number else style
            place, again = at[number * _PLACES], at[number * _PLACES + 1]
            language = self._chance.choice(told.subject.languages) if style == "foreign" else ""
            said.append(Saying(place, self._said(told, value, before, how, language, until), how))
            if until:
                continue  # said again without its end it would hold on
            if how == "passing" or self._chance.random() < _SAID_AGAIN:
                wrapping = "passing" if how == "passing" else "again"
                words = self.words(told, value)
                chosen = self._chance.choice(self.wrappings.said[wrapping])
                said.append(Saying(again, filled(chosen, **words), "again"))
        return said

    def _said(
        self, told: Spoken, value: str, before: str, how: Style, language: str, until: str
    ) -> str:
        chance, words = self._chance, self.words(told, value, before, until)
        if language:
            words["s"] = self.clause(told, value, language)
            table = self.wrappings.changed_foreign if before else self.wrappings.foreign
            return filled(chance.choice(table[language]), **words)
        if how == "until":
            return filled(chance.choice(self.wrappings.ending["until"]), **words)
        return filled(chance.choice(self.wrappings.said[how]), **words)

    def _ending(self, told: Spoken, value: str) -> str:
        chosen = self._chance.choice(self.wrappings.ending["forgotten"])
        return filled(chosen, **self.words(told, value))

    def _style(self, subject: Subject) -> Style:
        drawn = self._chance.random()
        style = next(one for share, one in _STYLES if drawn < share)
        return "asked" if style == "foreign" and not subject.languages else style

    def _count(self) -> int:
        drawn = self._chance.random()
        return 1 + sum(drawn >= share for share in _CHANGES)

    def _fate(self, style: Style, at: int, *, keep: bool) -> tuple[str, Fate]:
        """Until when it holds, as a date, and what became of it by now."""
        drawn, days = self._chance.random(), self._chance.randrange(5, 60)
        if style != "until":
            return "", "forgotten" if drawn < _FORGOTTEN and not keep else "kept"
        gone = drawn < _EXPIRED and not keep and self._now - at > 2 * DAY_MS
        end = at + (self._now - at) // 2 if gone else self._now + days * DAY_MS
        return rfc3339(end)[:10], "expired" if gone else "kept"
