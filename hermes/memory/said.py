"""What a person said themselves in this project, sentence by sentence, as a second memory.

Whatever no rule promoted is still found here. A sentence is not a memory: it comes with its
date, and what was said or remembered later about the same hides it.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol, Self

import anyio.to_thread
import msgspec

from hermes.core.ids import Cid
from hermes.load import load
from hermes.memory.fit import worths
from hermes.memory.project import project_hash
from hermes.memory.words import begins_words, names, telling
from hermes.store.likely import Word
from hermes.store.said import Saids, Sought, Typed, Vouching

_MESSAGES = 60
_WORDS = 12

Key = tuple[int, str, str]
"""Names a hit: the memory, or the message and the sentence."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence of the person's; `until`: ms at which it was hidden by something later.

    `others`: lines of other hits about the same, each with when it was said beside this one.
    """

    content: str
    score: float
    at: int
    cid: Cid
    session: str
    words: tuple[str, ...] = ()
    until: int | None = None
    others: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        """What it is known by."""
        return 0, self.cid, self.content

    def beside(self, score: float, others: tuple[str, ...]) -> Self:
        """The same as one with others."""
        return msgspec.structs.replace(self, score=score, others=others)

    @property
    def line(self) -> str:
        """The sentence with when it was said, and until when it held."""
        ends = "" if self.until is None else f", until {day(self.until)}"
        return together(f"said {day(self.at)}{ends}: {self.content}", self.others)


class Held(msgspec.Struct, frozen=True):
    """A memory that a question found: what it says, and since when it is known.

    `ends`: ms at which it was over, of one that is.
    """

    memory: int
    content: str
    at: int
    ends: int | None = None


class Found(msgspec.Struct, frozen=True):
    """Sentences that fit, the best first, and what something later contradicts.

    `behind`: hits, each with a later one about the same that it is to stand behind.
    `ahead`: those of them that fit the question better: the later one stands behind them.
    """

    said: tuple[Said, ...] = ()
    outdated: frozenset[Key] = frozenset()
    behind: Mapping[Key, Key] = {}
    ahead: frozenset[Key] = frozenset()


def day(at: int) -> str:
    """A date, from ms."""
    return datetime.fromtimestamp(at / 1000, tz=UTC).date().isoformat()


def together(line: str, others: Sequence[str]) -> str:
    """A line with those that it stands for."""
    return f"{line} ({'; '.join(others)})" if others else line


class Asked(NamedTuple):
    """A question, what its words say, and what is known already."""

    query: str
    worth: Mapping[str, float]
    vouching: Sequence[Vouching]
    held: Sequence[Held]
    now: int
    past: bool


class Judge(Protocol):
    """Judges messages (`hermes.memory.hearing.Hearing`); blocking, and heavy to load."""

    def judged(self, typed: Sequence[Typed], asked: Asked) -> Found:
        """What of them answers the question."""
        ...

    def saying(self, typed: Sequence[Typed], content: str) -> tuple[Cid, ...]:
        """The ones that say what a memory says."""
        ...


class Sayings:
    """Finds what a person said in the projects of one store."""

    def __init__(self, saids: Saids) -> None:
        self._saids = saids
        self._projects: dict[str, str] = {}
        self._judge: Judge | None = None

    async def find(
        self, project: str, query: str, held: Sequence[Held], now: int, *, past: bool
    ) -> Found:
        """The sentences that fit a question; with `past` those as well that hold no longer.

        Args:
            project: whose, by its hash.
            query: the question.
            held: the memories that it found, live or over; they hide what they say themselves.
            now: the time in ms.
            past: whether it asks for what was.
        """
        stems = telling(query)[:_WORDS]
        sought = await self._sought(project, stems, _MESSAGES, [one.memory for one in held])
        if not sought.typed:
            return Found()
        worth = worths(stems, sought.weights, names(query))
        known = [
            msgspec.structs.replace(one, at=sought.told.get(one.memory, one.at)) for one in held
        ]
        asked = Asked(query, worth, sought.vouching, known, now, past)
        return await anyio.to_thread.run_sync(self._judged, sought.typed, asked)

    async def saying(self, project: str, content: str) -> tuple[Cid, ...]:
        """The messages that say what a memory says."""
        stems = telling(content)[:_WORDS]
        sought = await self._sought(project, stems, 4 * _MESSAGES, ())
        return await anyio.to_thread.run_sync(self._say, sought.typed, content)

    async def _sought(
        self, project: str, stems: Sequence[str], limit: int, memories: Sequence[int]
    ) -> Sought:
        """Look in the project's directories, a second time where new ones turn up."""
        words = [Word(one, begins_words(one)) for one in stems]
        while True:
            roots = [root for root, name in self._projects.items() if name == project]
            sought = await self._saids.look(roots, words, limit, memories)
            unknown = [root for root in sought.roots if root not in self._projects]
            if not unknown:
                return sought
            self._projects |= await anyio.to_thread.run_sync(_hashes, unknown)

    def _judged(self, typed: Sequence[Typed], asked: Asked) -> Found:
        found: Found = self._judging().judged(typed, asked)
        return found

    def _say(self, typed: Sequence[Typed], content: str) -> tuple[Cid, ...]:
        found: tuple[Cid, ...] = self._judging().saying(typed, content)
        return found

    def _judging(self) -> Judge:
        if self._judge is None:
            self._judge = load("hearing").Hearing()
        return self._judge


def _hashes(roots: Sequence[str]) -> dict[str, str]:
    return {root: project_hash(Path(root)) for root in roots}
