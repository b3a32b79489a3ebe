"""Scrubbing one conversation: every text of it, with one set of placeholders.

What is found in one place goes everywhere, in every form it may be written. Then the result
is searched again as if it were new; while something is left, more goes, and when that does
not end, the conversation has to be dropped.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hermes.scrub.assigned import assigned
from hermes.scrub.fakes import Fakes
from hermes.scrub.finding import Finding, Kind
from hermes.scrub.keys import keys
from hermes.scrub.personal import personal
from hermes.scrub.random_text import random_text
from hermes.scrub.views import views

_ROUNDS = 4


class Piece(NamedTuple):
    """One text of a conversation; `prose`: a person wrote it."""

    text: str
    prose: bool = False


class Scrubbed(NamedTuple):
    """The texts in their order, and how many values of each kind were replaced."""

    texts: tuple[str, ...]
    counts: dict[Kind, int]


def scrub(pieces: Sequence[Piece], owner: Sequence[str] = ()) -> Scrubbed | None:
    """Replace every secret and personal value; None when something suspicious remains."""
    fakes = Fakes()
    texts = [piece.text for piece in pieces]
    waiting = set(range(len(pieces)))
    for _ in range(_ROUNDS):
        before = len(fakes)
        found = _found(pieces, texts, waiting, owner)
        for place, finding in found:
            if finding.value.strip() and not fakes.knows(finding.value):
                fakes.add(finding)
                waiting.add(place)
        if not waiting:
            return Scrubbed(tuple(texts), fakes.counts) if fakes.hide_all(texts) else None
        if len(fakes) == before:
            return None
        earlier, texts = texts, _replaced([piece.text for piece in pieces], fakes)
        waiting |= {
            n for n, (was, now) in enumerate(zip(earlier, texts, strict=True)) if was != now
        }
    return None


def findings(text: str, *, prose: bool = False, owner: Sequence[str] = ()) -> Iterator[Finding]:
    """What every rule finds in every reading of one text."""
    for view in views(text):
        yield from keys(view)
        yield from assigned(view, prose=prose)
        yield from personal(view, owner)
        yield from random_text(view)


def _found(
    pieces: Sequence[Piece], texts: Sequence[str], waiting: set[int], owner: Sequence[str]
) -> list[tuple[int, Finding]]:
    """What the waiting texts hold; afterwards none waits."""
    first: dict[Piece, int] = {}  # a file is often read, then written, then read again
    for place in sorted(waiting):
        first.setdefault(Piece(texts[place], pieces[place].prose), place)
    waiting.clear()
    return [
        (place, finding)
        for piece, place in first.items()
        for finding in findings(piece.text, prose=piece.prose, owner=owner)
    ]


def _replaced(texts: Sequence[str], fakes: Fakes) -> list[str]:
    places: dict[str, str] = {}
    words: set[str] = set()
    for value, fake, word in fakes.values():
        places.setdefault(value.lower(), fake)
        if word:
            words.add(value.lower())
    ordered = sorted((value for value in places if value[0] != "\0"), key=len, reverse=True)
    if not ordered:
        return list(texts)
    choices = "|".join(
        rf"(?<![^\W_]){re.escape(value)}(?![^\W_])" if value in words else re.escape(value)
        for value in ordered
    )
    pattern = re.compile(f"(?=({choices}))", re.IGNORECASE)
    return [_one(text, pattern, places) for text in texts]


def _one(text: str, pattern: re.Pattern[str], places: dict[str, str]) -> str:
    """Overlapping values go together: of two halves, none stays."""
    parts: list[str] = []
    end = last = 0
    longest = ""
    for match in pattern.finditer(text):
        start, value = match.start(), match[1]
        if start >= end:
            parts += (_fake(longest, places), text[last:start])
            longest = ""
            end = start
        if len(value) > len(longest):
            longest = value
        end = last = max(end, start + len(value))
    return "".join((*parts, _fake(longest, places), text[last:]))


def _fake(value: str, places: dict[str, str]) -> str:
    return places.get(value.lower(), "example") if value else ""
