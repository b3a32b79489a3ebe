"""A forgiving reader of the values that small models write where JSON was wanted.

Takes trailing commas, single quotes, bare keys and words, Python's and JSON's constants,
raw line breaks in strings, Gemma's quote tokens, and closing brackets missing at the very
end. It does not guess the end of a string: what was cut inside one is no value.
Depth and number of nodes are capped; time is linear.
"""

import json
import re
from typing import Any

_DEPTH = 32
_NODES = 20_000
_SPACE = re.compile(r"\s*")
_DOUBLE = re.compile(r'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
_SINGLE = re.compile(r"'((?:[^'\\]++|\\.)*+)'", re.DOTALL)
_QUOTES = ('<|"|>', "<escape>")
_NUMBER = re.compile(r"-?\d{1,18}(?:\.\d{1,18})?(?:[eE][-+]?\d{1,3})?(?=[\s,:}\])]|$)")
_WORD = re.compile(r"[^\s,:{}\[\]()\"'=][^,:{}\[\]()\"'=\n]*")
_ENDINGS = ("</tool_call>", "<tool_call|>", "<end_function_call>", "</function>", "```")
_CONSTANTS = {"true": True, "True": True, "false": False, "False": False}
_NOTHING = ("null", "None", "none")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\n": ""}


class Unreadable(ValueError):
    """Why a text is no value; the words go to the model."""


class Loose:
    """Reads values out of a text from a place on; `pos` is where it stands.

    `closed` says whether every bracket was closed.
    """

    def __init__(self, text: str, pos: int = 0) -> None:
        self._text = text
        self._nodes = 0
        self.pos = pos
        self.closed = True

    def value(self, depth: int = 0) -> Any:  # noqa: ANN401 - JSON
        """Read one value; raises Unreadable."""
        self._nodes += 1
        if depth > _DEPTH or self._nodes > _NODES:
            raise Unreadable("it is nested too deeply" if depth > _DEPTH else "it is too large")
        match self.peek():
            case "{":
                return self.pairs("{", "}", ":", depth)
            case "[":
                return self._items(depth)
            case '"' | "'" | "<":
                return self._string()
            case _:
                return self._bare()

    def pairs(self, opening: str, closing: str, sign: str, depth: int = 0) -> dict[str, Any]:
        """Read `{key: value, …}` or, with other signs, `(key=value, …)`."""
        found: dict[str, Any] = {}
        self.expect(opening)
        while not self._ends(closing):
            key = self._string() if self.peek() in "\"'<" else str(self._word())
            self.expect(sign)
            found[key] = self.value(depth + 1)
            self._comma(closing)
        return found

    def peek(self) -> str:
        """Return the next character that is no blank, empty at the end."""
        blank = _SPACE.match(self._text, self.pos)
        self.pos = blank.end() if blank else self.pos
        return self._text[self.pos : self.pos + 1]

    def expect(self, sign: str) -> None:
        """Pass over a sign; raises Unreadable where another stands."""
        if (here := self.peek()) != sign:
            raise Unreadable(f"expected {sign!r}, found {here!r}" if here else "it breaks off")
        self.pos += 1

    def _items(self, depth: int) -> list[Any]:
        found: list[Any] = []
        self.expect("[")
        while not self._ends("]"):
            found.append(self.value(depth + 1))
            self._comma("]")
        return found

    def _ends(self, closing: str) -> bool:
        here = self.peek()
        if here == closing:
            self.pos += 1
        elif not here or self._text.startswith(_ENDINGS, self.pos):
            self.closed = False
        else:
            return False
        return True

    def _comma(self, closing: str) -> None:
        here = self.peek()
        if here == ",":
            self.pos += 1
        elif here and here != closing and not self._text.startswith(_ENDINGS, self.pos):
            raise Unreadable(f"expected ',' or {closing!r}, found {here!r}")

    def _string(self) -> str:
        for quote in _QUOTES:
            if self._text.startswith(quote, self.pos):
                start = self.pos + len(quote)
                end = self._text.find(quote, start)
                if end < 0:
                    raise Unreadable("a string is not closed")
                self.pos = end + len(quote)
                return self._text[start:end]
        double = self._text[self.pos] == '"'
        found = (_DOUBLE if double else _SINGLE).match(self._text, self.pos)
        if not found:
            raise Unreadable("a string is not closed")
        self.pos = found.end()
        return _plain(found[1])

    def _bare(self) -> Any:  # noqa: ANN401 - JSON
        if number := _NUMBER.match(self._text, self.pos):
            self.pos = number.end()
            return json.loads(number[0]) if number[0].lstrip("-0") else 0
        word = self._word()
        if word in _NOTHING:
            return None
        return _CONSTANTS.get(word, word)

    def _word(self) -> str:
        word = _WORD.match(self._text, self.pos)
        if not word:
            here = self.peek()
            raise Unreadable(f"a value is missing before {here!r}" if here else "it breaks off")
        self.pos = word.end()
        return word[0].rstrip()


def _plain(inner: str) -> str:
    """Undo escapes; unknown ones stay as they are, halves of pairs become U+FFFD."""
    if "\\" not in inner:
        return inner
    text = _ESCAPE.sub(_unescape, inner)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _unescape(found: re.Match[str]) -> str:
    what = found[1]
    if len(what) > 1:
        return chr(int(what[1:], 16))
    return _LETTERS.get(what, what if what in "\"'\\/" else found[0])
