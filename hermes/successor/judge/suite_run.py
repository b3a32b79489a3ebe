"""What trusted tests are asked, and what of the answer is believed: capped, checked lines."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import msgspec


@dataclass(frozen=True)
class Known:
    """What a run on the parent leaves for the next ones: nothing in it is the candidate's.

    `modules` are the libraries that it loaded, `stored` what hypothesis found in the sources.
    """

    modules: tuple[str, ...] = ()
    stored: dict[str, str] = field(default_factory=dict)


NOTHING = Known()


@dataclass(frozen=True)
class Asked:
    """Which files, for how long; `ids` None: all; `lines`: traced modules."""

    files: tuple[str, ...]
    seconds: float
    ids: tuple[str, ...] | None = None
    lines: tuple[str, ...] = ()

    def of(self, ids: Sequence[str], seconds: float) -> "Asked":
        """The same for these tests only."""
        files = tuple(dict.fromkeys(one.partition("::")[0] for one in ids))
        return replace(self, files=files, ids=tuple(ids), seconds=seconds)


@dataclass(frozen=True)
class Told:
    """What came back. `outcomes`: how each test ended, and why; `end`: "ended", or how else.

    `stopped`: it says that the time was up before the last test.
    """

    outcomes: dict[str, tuple[str, str]]
    end: str
    lines: dict[str, tuple[int, ...]] = field(default_factory=dict)
    stopped: bool = False
    known: Known = NOTHING

    @property
    def passed(self) -> dict[str, None]:
        """The tests that passed, in their order."""
        return {one: None for one, (word, _) in self.outcomes.items() if word == "passed"}


class _Line(msgspec.Struct, frozen=True):
    word: str
    id: str = ""
    outcome: str = ""
    why: str = ""
    collected: int = -1
    end: int | None = None
    stopped: bool = False
    lines: dict[str, tuple[int, ...]] = {}
    modules: tuple[str, ...] = ()
    stored: dict[str, str] = {}


def believed(heard: bytes, word: str, why: str) -> Told:
    """Lines with the word that it was given; blocking."""
    lines: list[_Line] = []
    for text in heard.split(b"\n"):
        try:
            one = msgspec.json.decode(text, type=_Line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if one.word == word:
            lines.append(one)
    times = Counter(one.id for one in lines if one.id)
    outcomes = {
        one.id: (one.outcome if times[one.id] == 1 else "told twice", one.why)
        for one in lines
        if one.id
    }
    ends = [one for one in lines if one.end is not None]
    collections = sum(one.collected >= 0 for one in lines)
    if len(ends) != 1 or collections != 1:
        return Told({}, f"it did not end as tests end: {why}")
    known = Known(ends[0].modules, ends[0].stored)
    return Told(outcomes, "ended", ends[0].lines, ends[0].stopped, known)
