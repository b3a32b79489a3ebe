"""How somebody says that a statement is meant to last, or that it replaces another one.

A mark stands before or behind the statement: "remember that", "from now on", "btw", "no,",
"we switched from X to Y:", ", not X". Marks are taken off, one after the other; their words
are in `marks.toml`.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import msgspec

from hermes.memory.tables import table

Force = Literal["", "told", "changed", "ruled", "remember"]


class Marked(NamedTuple):
    """A statement without its marks.

    `force`: the strongest mark. `changed`: it replaces something: `old` names the value that
    it replaces, `about` what it is about, where it says so. `joined`: "that" or a colon leads
    into it.
    """

    text: str
    force: Force = ""
    changed: bool = False
    old: str = ""
    about: str = ""
    joined: bool = False


class _Mark(NamedTuple):
    pattern: re.Pattern[str]
    force: Force
    changed: bool


class _Words(msgspec.Struct, frozen=True):
    before: dict[str, list[str]]
    behind: dict[str, list[str]]


_ORDER: tuple[Force, ...] = ("", "told", "changed", "ruled", "remember")
_FORCES: dict[str, Force] = {
    "plain": "", "told": "told", "ruled": "ruled", "remember": "remember", "changed": "changed",
    "contrast": "changed", "now": "told", "ends": "ruled",
}  # fmt: skip
_CHANGES = frozenset({"changed", "contrast", "now"})
_VALUE = r"(?P<old>[^,;:]{1,40}?)"
_STOP = r"(?=\W|$)[\s,:;.!?\u2014-]*"
_GAP = r"(?<!\bfor)(?<!\bright)(?<!\bby)(?<!\bin)(?:[\s,;(\u2014-]+)"
_COMMA = r"\s*(?:[,;\u2014-]|\band\b)\s*"
_END = r"[\s?!.)]*$"


def _before(words: dict[str, list[str]]) -> Iterator[_Mark]:
    for kind, patterns in words.items():
        for one in patterns:
            pattern = re.compile(f"(?i)^(?:{_filled(one)}){_STOP}")
            yield _Mark(pattern, _FORCES[kind], kind in _CHANGES)


def _behind(words: dict[str, list[str]]) -> Iterator[_Mark]:
    for kind, patterns in words.items():
        gap = _COMMA if kind in {"contrast", "ends"} else _GAP
        for one in patterns:
            pattern = re.compile(f"(?i){gap}(?:{_filled(one)}){_END}")
            yield _Mark(pattern, _FORCES[kind], kind in _CHANGES)


def _filled(pattern: str) -> str:
    return re.sub(r"\bV\b", lambda _: _VALUE, pattern)


_TABLE = table("marks", _Words)
_BEFORE, _BEHIND = tuple(_before(_TABLE.before)), tuple(_behind(_TABLE.behind))
_CLAUSE = re.compile(r"(?i)(?:\b(?:that|dass|que|che)|\bqu'|:)\s*$")
_NEEDS_STOP = frozenset(
    (
        "no", "so", "right", "well", "good", "great", "decision", "rule", "policy", "doch", "new",
        "convention", "context", "background", "note", "sorry", "non", "important", "wrong",
        "correction", "again", "in general",
    )
)  # fmt: skip
_MOST = 6
_SHORT = 5


def marked(sentence: str) -> Marked:
    """Take the marks off a sentence."""
    found = Marked(sentence.strip(" \t,;"))
    for _ in range(_MOST):
        stripped = _first(found, _BEFORE, lead=True) or _first(found, _BEHIND, lead=False)
        if stripped is None:
            break
        found = stripped
    return found._replace(text=found.text.strip(" ,;:-\u2014"))


def _first(found: Marked, marks: Iterable[_Mark], *, lead: bool) -> Marked | None:
    for mark in marks:
        match = mark.pattern.match(found.text) if lead else mark.pattern.search(found.text)
        if match is None:
            continue
        rest = found.text[match.end() :] if lead else found.text[: match.start()]
        if not rest.strip(" .,") or _is_part(match, lead=lead):
            continue
        groups = match.groupdict()
        until = (groups.get("until") or "").lower().removeprefix("only ")
        return Marked(
            f"{rest.strip()} {until}".strip(),
            max(found.force, mark.force, key=_ORDER.index),
            found.changed or mark.changed,
            found.old or (groups.get("old") or "").strip(" '\""),
            found.about or (groups.get("about") or "").strip(),
            found.joined or (lead and _CLAUSE.search(match[0]) is not None),
        )
    return None


def _is_part(match: re.Match[str], *, lead: bool) -> bool:
    """Whether the words belong to the statement: "no tests are skipped"."""
    if lead:
        return match[0].strip().casefold() in _NEEDS_STOP
    old = match.groupdict().get("old")
    return bool(old) and len(str(old).split()) > _SHORT
