"""Other readings of a text in which a secret may stand that its letters as such don't show.

Escapes undone once and twice, percent codes, invisible characters, pieces of a string that
code joins. It does not decode whole base64 or archives: as random text they go anyway.
"""

import html
import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

_ESCAPE = re.compile(r"\\(?:u\{?([0-9a-fA-F]{4})\}?|x([0-9a-fA-F]{2})|([nrtbf\"'/\\`]))")
_PLAIN = {"n": "\n", "r": "\r", "t": "\t", "b": "", "f": ""}
_JOINED = re.compile(
    r"\\\r?\n\s*|[\"']\s*(?:\+|\.\.?|&|\\)?\s*\n?\s*(?:\+\s*)?[rbf]?(?<=[\s+.&\\])[\"']"
)
_INVISIBLE = {"Cf", "Mn"}
_DEPTH = 3


def views(text: str) -> Iterator[str]:
    """The text, then each different reading of it."""
    seen = {text, ""}
    yield text
    for reading in _readings(text):
        if reading not in seen:
            seen.add(reading)
            yield reading


def _readings(text: str) -> Iterator[str]:
    plain = text
    for _ in range(_DEPTH):
        plain = _lines(plain, "\\")
        if not plain:
            break
        plain = _unescaped(plain)
        yield plain
        if not plain.isascii():
            yield visible(plain)
        if "%" in plain:
            yield unquote(plain)
    if not text.isascii():
        yield visible("\n".join(line for line in text.split("\n") if not line.isascii()))
    yield unquote(_lines(text, "%"))
    yield html.unescape(_lines(text, "&"))
    if _JOINED.search(text):
        yield _JOINED.sub("", text)


def _lines(text: str, sign: str) -> str:
    """The lines in which a reading can differ: all others were read already."""
    if sign not in text:
        return ""
    return "\n".join(line for line in text.split("\n") if sign in line)


def visible(text: str) -> str:
    """Compatibility forms folded (NFKC), invisible characters gone."""
    folded = unicodedata.normalize("NFKC", text)
    return "".join(c for c in folded if unicodedata.category(c) not in _INVISIBLE)


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_character, text)


def _character(match: re.Match[str]) -> str:
    wide, narrow, plain = match.groups()
    if plain is not None:
        return _PLAIN.get(plain, plain)
    return chr(int(wide or narrow, 16))
