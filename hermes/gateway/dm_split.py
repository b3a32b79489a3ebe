"""A long text in parts that every client shows: cut where it hurts least, code fences kept whole.

Parts are numbered, because clients order messages by the second. What is beyond the last part
is named, never dropped in silence.
"""

import re
from collections.abc import Sequence

PART_CHARS = 3_000
PART_BYTES = 12_000
"""A wrap takes three times its text; relays take 64 KiB."""
PARTS = 12
_FENCE = re.compile(r"^\s{0,3}(`{3,}|~{3,})(.*)$", re.MULTILINE)
_BREAKS = ("\n\n", "\n", ". ", " ")
_MARGIN = 200  # for a number, and a fence that is closed and opened again


def split(
    text: str, rest: str = "they are in the conversation", *, beyond: int = 0, parts: int = PARTS
) -> list[str]:
    """Cut a text into at most so many parts.

    `beyond`: characters that were left out before; `rest` says in the last part where they are.
    """
    pieces = _pieces(text.strip())
    if len(pieces) == 1 and not beyond:
        return pieces
    if len(pieces) > parts or beyond:
        left = sum(map(len, pieces[parts - 1 :])) + beyond
        pieces = [*pieces[: parts - 1], f"… {left:,} more characters: {rest}"]
    many = len(pieces)
    return [f"({n}/{many}){_lead(one)}" for n, one in enumerate(_fenced(pieces), 1)]


def _lead(piece: str) -> str:
    """A part behind its number: a fence has to stand at the beginning of a line."""
    return f"\n{piece}" if _FENCE.match(piece) else f" {piece}"


def _pieces(text: str) -> list[str]:
    pieces: list[str] = []
    while not _fits(text):
        place = _place(text)
        pieces.append(text[:place].rstrip())
        text = text[place:].lstrip("\n") if text[place - 1 : place] == "\n" else text[place:]
    return [*pieces, text]


def _fits(text: str) -> bool:
    room = PART_CHARS - _MARGIN
    return len(text) <= room and len(text.encode(errors="replace")) <= PART_BYTES - _MARGIN


def _place(text: str) -> int:
    """Where to cut: behind the last good break in the second half, else where it is full."""
    most = min(len(text), PART_CHARS - _MARGIN)
    while len(text[:most].encode(errors="replace")) > PART_BYTES - _MARGIN:
        most -= max(1, most // 8)
    for mark in _BREAKS:
        found = text.rfind(mark, most // 2, most)
        if found >= 0:
            return found + len(mark)
    return most


def _fenced(pieces: Sequence[str]) -> list[str]:
    """Close a fence at the end of a part, and open it again in the next."""
    done: list[str] = []
    opener = ""
    for piece in pieces:
        told = f"{opener}\n{piece}" if opener else piece
        for mark in _FENCE.finditer(piece):
            if not opener:
                opener = mark.group(0).strip()[:80]
            elif mark.group(1).startswith(_fence(opener)) and not mark.group(2).strip():
                opener = ""
        done.append(f"{told}\n{_fence(opener)}" if opener else told)
    return done


def _fence(opener: str) -> str:
    found = _FENCE.match(opener)
    return found.group(1) if found else ""
