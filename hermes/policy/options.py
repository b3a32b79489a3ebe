"""Which options of a command do nothing but read: exact names only.

An abbreviated long option (`--outp=x`, as CVE-2026-28363) is no exact name, so it is not
known to read. `Known.read` answers with the operands, or None.
"""

from dataclasses import dataclass
from typing import Literal

Operands = Literal["paths", "files", "text", "pattern", "none"]


@dataclass(frozen=True, slots=True)
class Known:
    """A command's harmless options and what its operands are.

    `paths` are read; `files` too, and no directory among them; `pattern`: the first operand
    is a pattern, the others are paths. `digits`: `-20` is an option.
    """

    operands: Operands
    flags: frozenset[str]
    optional: frozenset[str]
    valued: frozenset[str]
    most: int = 1000
    digits: bool = False

    def read(self, words: tuple[str, ...]) -> "Given | None":
        """Sort the words after the command; None when one of them is not known."""
        operands: list[str] = []
        options: list[str] = []
        values: list[tuple[str, str]] = []
        at = 0
        while at < len(words):
            word = words[at]
            at += 1
            if word == "--":
                operands += words[at:]
                break
            if not word.startswith("-") or word == "-":
                operands.append(word)
                continue
            taken = self._option(word, words[at : at + 1], options, values)
            if taken is None:
                return None
            at += taken
        if len(operands) > self.most or (self.operands == "none" and operands):
            return None
        return Given(tuple(operands), frozenset(options), tuple(values))

    def _option(
        self, word: str, after: tuple[str, ...], options: list[str], values: list[tuple[str, str]]
    ) -> int | None:
        """Read one option word; how many further words it takes, None when not known."""
        if not word.startswith("--"):
            return self._cluster(word, after, options, values)
        name, equals, value = word.partition("=")
        options.append(name)
        if not equals and name in self.flags | self.optional:
            return 0
        if equals and name in self.optional | self.valued:
            values.append((name, value))
            return 0
        if not equals and name in self.valued and after:
            values.append((name, after[0]))
            return 1
        return None

    def _cluster(
        self, word: str, after: tuple[str, ...], options: list[str], values: list[tuple[str, str]]
    ) -> int | None:
        if word in self.flags or (self.digits and word[1:].isascii() and word[1:].isdecimal()):
            options.append(word)
            return 0
        for at, letter in enumerate(word[1:], start=1):
            short = f"-{letter}"
            options.append(short)
            if short in self.flags:
                continue
            if short not in self.valued:
                return None
            value = word[at + 1 :]
            if not value and not after:
                return None
            values.append((short, value or after[0]))
            return 0 if value else 1
        return 0


@dataclass(frozen=True, slots=True)
class Given:
    """A command's words, sorted."""

    operands: tuple[str, ...]
    options: frozenset[str]
    values: tuple[tuple[str, str], ...]


def known(operands: Operands, spec: str = "", most: int = 1000, *, digits: bool = False) -> Known:
    """Read a row of the table.

    `-abc`: three flags; `-n:`: a short option with a value; `--all`; `--color[=]`: a value
    may be attached; `--lines=`: takes a value; `=-uno`: exactly this word.
    """
    flags: set[str] = set()
    optional: set[str] = set()
    valued: set[str] = set()
    for item in spec.split():
        if item.startswith("="):
            flags.add(item[1:])
        elif item.endswith("[=]"):
            optional.add(item[:-3])
        elif item.startswith("--"):
            (valued if item.endswith("=") else flags).add(item.rstrip("="))
        elif item.endswith(":"):
            valued.add(item[:-1])
        else:
            flags.update(f"-{letter}" for letter in item[1:])
    return Known(operands, frozenset(flags), frozenset(optional), frozenset(valued), most, digits)
