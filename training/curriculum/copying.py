"""Bare copying in the form of calls: what a new model learns first, and goes on practising.

Most values are no words of any language, so that nothing but copying gives them.
"""

import random
import string
from collections.abc import Iterator

from hermes.prompt.sections import IDENTITY
from training.chat import Message
from training.curriculum.values import Values

_LETTERS = string.ascii_lowercase + string.digits + "_-./ "
_FORMS = (
    ("read {path}", "FileRead", ("path",)),
    ("{path}, show it to me", "FileRead", ("path",)),
    ("what's in '{path}'?", "FileRead", ("path",)),
    ("zeig mir {path}", "FileRead", ("path",)),
    ("list {path}", "ListDir", ("path",)),
    ("run {command}", "Bash", ("command",)),
    ("run `{command}` please", "Bash", ("command",)),
    ("remember {content}", "Remember", ("content",)),
    ("remember that: {content}", "Remember", ("content",)),
    ("merk dir: {content}", "Remember", ("content",)),
    ("search for {pattern} in {path}", "Grep", ("pattern", "path")),
    ("where does '{pattern}' stand in {path}?", "Grep", ("pattern", "path")),
    ("suche „{pattern}“ in {path}", "Grep", ("pattern", "path")),
    ('write "{content}" to {path}', "FileWrite", ("path", "content")),
    ("make {path} with this in it: {content}", "FileWrite", ("path", "content")),
    ("schreib „{content}“ in {path}", "FileWrite", ("path", "content")),
    ('replace "{old}" with "{new}" in {path}', "FileEdit", ("path", "old", "new")),
    ("in {path} change '{old}' to '{new}'", "FileEdit", ("path", "old", "new")),
    ("{path}: {old} -> {new}", "FileEdit", ("path", "old", "new")),
    ("ersetze „{old}“ durch „{new}“ in {path}", "FileEdit", ("path", "old", "new")),
)
# fmt: off
_BEGINNINGS = (
    "b", "c", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z",
    "br", "cl", "dr", "fl", "gr", "kr", "pl", "sch", "st", "tr", "qu", "ł", "č", "ñ",
)
_MIDDLES = (
    "a", "e", "i", "o", "u", "ä", "ö", "ü", "é", "è", "ó", "ą", "ię", "ei", "au", "ou", "ie", "oo",
)
_ENDINGS = ("", "", "", "n", "r", "s", "t", "l", "m", "ck", "ng", "st", "rt", "nd", "ß")
# fmt: on


def copying(seed: int, count: int) -> Iterator[list[Message]]:
    """`count` conversations of one request with random values and its call."""
    rng = random.Random(seed)
    values = Values(rng)
    for _ in range(count):
        form, tool, names = rng.choice(_FORMS)
        given: dict[str, str | int] = {name: _value(values, name) for name in names}
        text = form
        for name, value in given.items():
            text = text.replace(f"{{{name}}}", str(value), 1)
        if rng.random() < 0.3:  # something else is said first
            text = f"{_phrase(rng, 3, 10)}. {text}"
        call: Message = {"role": "assistant", "tool_calls": [{"name": tool, "arguments": given}]}
        system: Message = {"role": "system", "content": IDENTITY}
        yield [system, {"role": "user", "content": text}, call]


def _value(values: Values, name: str) -> str:
    rng = values.rng
    kind = rng.random()
    if kind < 0.2:
        return "".join(rng.choice(_LETTERS) for _ in range(rng.randint(3, 18))).strip() or "x"
    if kind < 0.3:
        digits = [str(rng.randint(0, 10 ** rng.randint(1, 4))) for _ in range(rng.randint(1, 4))]
        return rng.choice((".", "-", ":", "", " ", "/")).join(digits)
    if kind < 0.75:
        return _place(rng) if name == "path" else _phrase(rng, 1, 9)
    return values.draw(rng.choice(("path", "ident", "phrase", "cmd", "dir")))


def _word(rng: random.Random) -> str:
    """A word of no language."""
    parts = (
        rng.choice(_BEGINNINGS) + rng.choice(_MIDDLES) + rng.choice(_ENDINGS)
        for _ in range(rng.choice((1, 1, 2, 2, 3, 4)))
    )
    word = "".join(parts)
    style = rng.random()
    return word.capitalize() if style < 0.25 else word.upper() if style < 0.3 else word


def _phrase(rng: random.Random, least: int, most: int) -> str:
    words = [_word(rng) for _ in range(rng.randint(least, most))]
    if len(words) > 2 and rng.random() < 0.4:
        words[rng.randrange(len(words) - 1)] += rng.choice((",", ":", " =", " &", " +", "'s", ";"))
    return " ".join(words)


def _place(rng: random.Random) -> str:
    parts = [_phrase(rng, 1, rng.choice((1, 1, 3))) for _ in range(rng.choice((1, 1, 2, 3, 4)))]
    if rng.random() < 0.8:
        parts[-1] += rng.choice((".txt", ".md", ".py", ".tar.gz", ".yaml", "_v2.csv", ".old.json"))
    return rng.choice(("", "", "", "./", "/", "~/", "../")) + "/".join(parts)
