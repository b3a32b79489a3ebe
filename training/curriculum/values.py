"""What a request is about: paths, patterns, commands, facts, times, drawn from small grammars.

`values/<slot>.txt` holds a form a line (a likelier one more often), in the frames' own syntax;
only words and numbers are made here. A held-out set draws its words from another part of the list.
"""

import random
import re
import string
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from zlib import crc32

CHOICE = re.compile(r"<([^<>]*\|[^<>]*)>")
SLOT = re.compile(r"\{([A-Za-z_]+?)(\d*)(\.ext)?\}")
_HELD_PERCENT = 12
_NUMBERS: Mapping[str, tuple[int, int, str]] = {
    "d": (1, 9, ""),
    "e": (0, 14, ""),
    "low": (1, 99, ""),
    "high": (1_024, 65_535, ""),
    "high_n": (100, 9_999, ""),
    "h": (0, 23, ""),
    "hh": (0, 23, "02"),
    "noon_h": (1, 12, ""),
    "mi": (0, 59, ""),
    "mm": (0, 59, "02"),
    "dom": (1, 31, ""),
    "dd": (1, 28, "02"),
    "mo": (1, 12, "02"),
    "year": (2_015, 2_030, ""),
    "hex": (4_096, 2**32, "x"),
}
_PLACES = {"path", "dir", "base", "place"}
_QUOTES = {'"', "'", "`", "“", "„", "«", "/", "\\"}


@cache
def lines(name: str) -> tuple[str, ...]:
    """The lines of a data file of this package, without comments and blank lines."""
    text = files("training.curriculum").joinpath(name).read_text(encoding="utf-8")
    return tuple(x for x in text.split("\n") if x.strip() and not x.startswith("# "))


@cache
def _words(*, held: bool) -> tuple[str, ...]:
    words = lines("values/word.txt")
    return tuple(w for w in words if (crc32(w.encode()) % 100 < _HELD_PERCENT) == held)


@cache
def _forms(kind: str) -> tuple[str, ...]:
    try:
        return lines(f"values/{kind}.txt")
    except FileNotFoundError:
        raise KeyError(kind) from None


class Values:
    """Draws values; the same generator state gives the same values.

    `held`: draw words that training never sees; `held_frames` is for those who choose phrasings.
    """

    def __init__(
        self, rng: random.Random, *, held: bool = False, held_frames: bool = False
    ) -> None:
        self.rng = rng
        self.held_frames = held_frames
        self._words = _words(held=held)
        self._form, self._edit = "{ident}", ""
        self._atoms: Mapping[str, Callable[[], str]] = {
            "word": self.word,
            "Word": lambda: self.word().capitalize(),
            "WORD": lambda: self.word().upper(),
            "pseudo": self.pseudo,
            "letters": lambda: self._letters(string.ascii_lowercase, rng.randint(2, 9)),
            "c": lambda: self._letters(string.ascii_lowercase, 1),
            "C": lambda: self._letters(string.ascii_uppercase, 1),
            "a": lambda: self._edited("a"),
            "b": lambda: self._edited("b"),
            "lang": lambda: rng.choice(_forms("lang")),
        }

    def draw(self, kind: str) -> str:
        """A value of a slot's kind; raises KeyError for a kind that there is not."""
        if kind in _NUMBERS:
            low, high, form = _NUMBERS[kind]
            return format(self.rng.randint(low, high), form)
        if (atom := self._atoms.get(kind)) is not None:
            return atom()
        form = self.rng.choice(_forms(kind))
        return self.fill(self.choose(form), {}, spoken=kind not in _PLACES).rstrip(" ")

    def _edited(self, kind: str) -> str:
        """Old or new text of an edit: the new one mostly of the old one's form, never the same."""
        if kind == "a" or self.rng.random() < 0.4:
            self._form = self.rng.choice(_forms("a"))
        text = self.expand(self._form)
        while text == self._edit:
            text = self.expand(self._form) if self.rng.random() < 0.5 else self.draw("ident")
        self._edit = text
        return text

    def expand(self, form: str, bound: dict[str, str] | None = None) -> str:
        """Choose alternatives, fill slots; equal slots get equal values, kept in `bound`."""
        return self.fill(self.choose(form), {} if bound is None else bound, spoken=True)

    def choose(self, form: str) -> str:
        """Take one of each `<a|b>`."""
        return CHOICE.sub(lambda found: self.rng.choice(found[1].split("|")), form)

    def fill(self, form: str, bound: dict[str, str], *, spoken: bool = False) -> str:
        """Put values into slots; in what is `spoken`, a path with blanks stands in quotes."""

        def value(found: re.Match[str]) -> str:
            name = found[1] + found[2]
            if name not in bound:
                bound[name] = self.draw(found[1])
            if found[1] == "lang":
                return bound[name].split()[1 if found[3] else 0]
            bare = form[found.start() - 1 : found.start()] not in _QUOTES
            if spoken and bare and found[1] in _PLACES and " " in bound[name]:
                return f'"{bound[name]}"'
            return bound[name]

        return SLOT.sub(value, form)

    def pseudo(self) -> str:
        """A pronounceable string that is no word: what must be copied, not recalled."""
        rng = self.rng
        parts = [
            rng.choice("bcdfghjklmnpqrstvwxz") + rng.choice("aeiou")
            for _ in range(rng.randint(1, 4))
        ]
        return "".join(parts) + rng.choice(("", "", rng.choice("nrstlk")))

    def word(self) -> str:
        """A word, or now and then something that is none."""
        chance = self.rng.random()
        if chance < 0.1:
            return self.pseudo()
        if chance < 0.13:
            return self.draw("letters")
        return self.rng.choice(self._words)

    def _letters(self, alphabet: str, count: int) -> str:
        return "".join(self.rng.choice(alphabet) for _ in range(count))
