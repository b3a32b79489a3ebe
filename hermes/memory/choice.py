"""Which of the memories that were found a prompt is shown: above a threshold, within a room.

Pure. What came close is kept as well, so that a person can ask why it was left out.
"""

from collections.abc import Collection, Sequence

import msgspec

from hermes.memory.markers import marker
from hermes.memory.recall import Recalled

_NEAR = 3  # that are remembered as nearly shown
_NEAR_SHARE = 0.5  # of the threshold


class Line(msgspec.Struct, frozen=True):
    """A memory as the prompt has it."""

    recalled: Recalled
    text: str


class Choice(msgspec.Struct, frozen=True):
    """What is shown, in order, and what came close."""

    lines: tuple[Line, ...] = ()
    near: tuple[Recalled, ...] = ()


class Terms(msgspec.Struct, frozen=True):
    """What a choice keeps to: least score, most bytes (line breaks counted), most lines."""

    least: float
    room: int
    most: int


def chosen(found: Sequence[Recalled], terms: Terms, known: Collection[int] = ()) -> Choice:
    """Choose, best first; a shorter one further down may take the place of one too long.

    Args:
        found: in order; later ones may repeat earlier ones.
        terms: what to keep to.
        known: memories that the conversation has been shown.
    """
    lines: list[Line] = []
    near: list[Recalled] = []
    said: set[str] = set()
    seen = set(known)
    left = terms.room
    for one in found:
        if one.memory.id in seen:
            continue
        seen.add(one.memory.id)
        memory = one.memory
        text = marker(memory.memory_type, memory.content, memory.source_session_id)
        words = " ".join(memory.content.split()).casefold()
        size = len(text.encode()) + 1
        if one.score >= terms.least and len(lines) < terms.most and size <= left:
            if words not in said:
                said.add(words)
                lines.append(Line(one, text))
                left -= size
        elif one.score >= terms.least * _NEAR_SHARE and len(near) < _NEAR:
            near.append(one)
    return Choice(tuple(lines), tuple(near))
