"""What a shell text is made of, as policy sees it: parts, words, redirections.

Apart from the parser, so that who only holds the values does not load the grammar.
"""

import re
from dataclasses import dataclass


def names(text: str) -> frozenset[str]:
    """A set of words, written as one line of them."""
    return frozenset(text.split())


LONGEST = 64 * 1024
"""Bytes of a command text that are read at all."""

ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")

SILENT = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr"})
"""Targets that keep nothing."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word; `known` when the shell will use exactly this text, else `text` is its source."""

    text: str
    known: bool = True


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirection; `op` without its descriptor. For `>&1` the target is `1`."""

    op: str
    target: Word

    @property
    def duplicates(self) -> bool:
        """Whether it only joins or closes descriptors."""
        dup = self.op in {">&", "<&"} and self.target.known
        return dup and (self.target.text.isdecimal() or self.target.text == "-")

    @property
    def writes(self) -> bool:
        """Whether it opens a file to write, as far as one can tell."""
        if self.duplicates or self.op in {"<", "<<", "<<-", "<<<", "<&"}:
            return False
        return not (self.target.known and self.target.text in SILENT)

    @property
    def reads(self) -> bool:
        """Whether it opens a file to read."""
        return self.op in {"<", "<&"} and not self.duplicates


@dataclass(frozen=True, slots=True)
class Part:
    """One simple command; `assigns` are the `A=b` before it (or alone, or a loop's variable).

    `strange` names a construct that words alone don't tell: no rule with an argument allows it.
    """

    words: tuple[Word, ...] = ()
    assigns: tuple[Word, ...] = ()
    redirects: tuple[Redirect, ...] = ()
    strange: str = ""

    @property
    def known(self) -> bool:
        """Whether every word is known."""
        return all(word.known for word in (*self.words, *self.assigns))

    @property
    def texts(self) -> tuple[str, ...]:
        """The words' texts."""
        return tuple(word.text for word in self.words)


@dataclass(frozen=True, slots=True)
class ParsedCommand:
    """Every simple command anywhere in the text, in order.

    `plain`: no expansion, no compound construct, and two readers agree on every word. Only
    a plain text is ever allowed by a rule with an argument or known only to read.
    """

    text: str
    parts: tuple[Part, ...]
    plain: bool


@dataclass(frozen=True, slots=True)
class Unparseable:
    """Nobody can say what the shell would do."""

    why: str


Parsed = ParsedCommand | Unparseable
