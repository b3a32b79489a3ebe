"""Candidates of this runtime in a talk, by message or in the terminal: shown first, then decided.

A word counts for a difference that was shown whole in this very talk. What decides is the owner's
gate; a defect here can show too little, never open it for a difference that was not shown.
"""

import re
from typing import NamedTuple

from hermes.core.event import Json
from hermes.gateway.render_successor import (
    answer_lines,
    list_lines,
    short,
    shown_lines,
    status_lines,
)
from hermes.gateway.render_text import reveal
from hermes.gateway.terminal_door import Door

_WORD = re.compile(r"(yes|no)\s+([a-z2-7]{8,59})[.,:!]?(?:\s+(.*))?", re.IGNORECASE | re.DOTALL)
_LATEST = 10


class GateWord(NamedTuple):
    """yes or no to a candidate that was shown."""

    answer: str
    name: str
    reason: str = ""


class GateTalk:
    """What one person has seen, and says of it; `most` characters are shown at most."""

    def __init__(self, door: Door, who: str, through: str, most: int) -> None:
        self._door = door
        self._who = who
        self._through = through
        self._most = most
        self._seen: dict[str, tuple[str, str]] = {}

    def word_in(self, text: str) -> GateWord | None:
        """The word on a candidate that a message is; None: it is about something else."""
        found = _WORD.fullmatch(text.strip())
        if found is None or found[2].lower()[-8:] not in self._seen:
            return None
        answer = "approve" if found[1].lower() == "yes" else "reject"
        return GateWord(answer, found[2].lower()[-8:], (found[3] or "").strip())

    async def look(self, name: str) -> list[str]:
        """What there is, or one candidate with its difference."""
        if not name:
            told = await self._door.query("successor.list", most=_LATEST)
            state = await self._door.query("successor.status")
            return _revealed(
                [*list_lines(told), *status_lines(state), "One of them: /successor ID"]
            )
        told = await self._door.query("successor.show", name=name)
        lines, known = _revealed(shown_lines(told)), str(told["candidate"]["cid"])
        if sum(map(len, lines)) > self._most:
            more = "It is too long to be shown here: look at it in the terminal (hermes successor)."
            return [*lines[:12], more]
        self._seen[short(known)] = known, str(told["diff_sha256"])
        return [*lines, f"Answer: yes {short(known)}, or no {short(known)} (a reason may follow)"]

    async def say(self, word: GateWord) -> list[str]:
        """Give the gate a person's word; what came of it."""
        name, diff = self._seen[word.name]
        given: dict[str, Json] = {
            "answer": word.answer, "diff": diff, "who": self._who, "door": self._through,
            "reason": word.reason[:500],
        }  # fmt: skip
        told = await self._door.query("successor.answer", name=name, word=given)
        return _revealed(answer_lines(told))


def _revealed(lines: list[str]) -> list[str]:
    return [reveal(line) for one in lines for line in one.split("\n")]
