"""What a changed file may hold, as far as its characters tell; nothing is parsed here."""

import re
import unicodedata
from collections.abc import Iterator, Sequence

from hermes.sandbox.changes import Delta
from hermes.scrub.scrub import findings
from hermes.successor.judge.remark import Remark, Weight

_MOST_FILE = 256 << 10
_MOST_ALL = 2 << 20
_MOST_NOTED = 10
_CODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")  # as PEP 263 has it
_UTF8 = {b"utf-8", b"utf8", b"utf_8"}
_TURNING = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_ODD = {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"}
_BY_SHAPE = {"key", "pem"}
_PERHAPS = {"token", "password", "seed"}


def look_at_contents(deltas: Sequence[Delta]) -> list[Remark]:
    """Sizes, text, characters that mislead, secrets; blocking, a moment for each 100 KiB."""
    whole = sum(len(one.after.data) for one in deltas if one.after)
    if whole > _MOST_ALL:
        says = f"changed files of {whole >> 10} KiB; at most {_MOST_ALL >> 10} can be looked at"
        return [Remark("size", "refused", "", says)]
    return [remark for one in deltas for remark in _look_at(one)]


def _look_at(delta: Delta) -> Iterator[Remark]:
    if delta.after is None:
        return
    old, new, path = delta.before.data if delta.before else b"", delta.after.data, delta.path
    if old == new:
        return
    if len(new) > max(_MOST_FILE, len(old)):
        yield Remark("size", "refused", path, f"{len(new) >> 10} KiB in one file")
        return
    text = _text(new)
    if text is None:
        yield Remark("binary", "refused", path, "not text: nobody could read what is changed")
        return
    before = _text(old) or ""
    for char in sorted(set(text) - set(before)):
        if _misleads(char, code=path.endswith(".py")):
            line = text[: text.index(char)].count("\n") + 1
            says = (
                f"holds {unicodedata.name(char, f'U+{ord(char):04X}')}, which hides what is there"
            )
            yield Remark("characters", "refused", path, says, line)
    if path.endswith(".py"):
        yield from _coding(path, new)
    yield from _secrets(path, before, text)


def _text(data: bytes) -> str | None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _misleads(char: str, *, code: bool) -> bool:
    if char in "\n\t":
        return False
    kind = unicodedata.category(char)
    if code:
        return kind in _ODD or (kind == "Zs" and char != " ")
    return kind == "Cc" or char in _TURNING


def _coding(path: str, data: bytes) -> Iterator[Remark]:
    """Another encoding makes other code of the same bytes than a reader sees."""
    for number, line in enumerate(data.split(b"\n")[:2], 1):
        found = _CODING.match(line)
        if found and found[1].lower() not in _UTF8:
            yield Remark("characters", "refused", path, "in another encoding than UTF-8", number)


def _secrets(path: str, before: str, text: str) -> Iterator[Remark]:
    """What is a key by its shape ends it; what may be one is for the person."""
    known = set(before.splitlines())
    added = "\n".join(line for line in text.splitlines() if line not in known)
    told = 0
    for value, kind in sorted({(one.value, one.kind) for one in findings(added)}):
        if kind not in _BY_SHAPE | _PERHAPS or value in before:
            continue
        at = text.find(value)
        line = text[:at].count("\n") + 1 if at >= 0 else 0
        if kind in _BY_SHAPE and not value.isalpha():  # letters alone: a form's placeholder
            weight: Weight = "person" if path.startswith("tests/") else "refused"
            yield Remark("secret", weight, path, f"a {kind} stands in it", line)
        elif told < _MOST_NOTED:
            told += 1
            yield Remark("secret", "told", path, f"perhaps a {kind} stands in it", line)
