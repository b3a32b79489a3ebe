"""Phrasings: each a sentence with slots, and the calls or the words that answer it.

The files of `frames/` were written by hand, a line a phrasing; their syntax stands in
`docs/training.md`. One phrasing in twenty is held out of training, chosen by its digest.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from zlib import crc32

from training.curriculum.values import SLOT

_HELD_PERCENT = 4
_PLAIN = "_1.txt"
_PLAIN_WEIGHT = 3  # the first file of a tool has what most people say


@dataclass(frozen=True)
class Call:
    """A tool, and its arguments with slots in them."""

    tool: str
    arguments: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Answer:
    """What a section's phrasings are answered with: calls, or else words."""

    calls: tuple[Call, ...] = ()
    say: str = ""

    @property
    def intent(self) -> str:
        """The tool, `parallel` for several calls, `say` for none."""
        if len(self.calls) > 1:
            return "parallel"
        return self.calls[0].tool if self.calls else "say"


@dataclass(frozen=True)
class Frame:
    """A phrasing of a request."""

    text: str
    answer: Answer
    plain: bool = False

    @property
    def held(self) -> bool:
        """Whether it is kept out of training."""
        return crc32(self.text.encode()) % 100 < _HELD_PERCENT


class BadFrame(ValueError):
    """A frames file breaks its syntax; says the file and the line."""


def parse(text: str, name: str) -> list[Frame]:
    """Read a frames file; raises BadFrame."""
    found: list[Frame] = []
    answer: Answer | None = None
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            if line.startswith("@"):
                answer = _answer(line[1:].strip())
            else:
                phrasing = line.strip().replace("\\n", "\n")
                found.append(_frame(phrasing, answer, plain=name.endswith(_PLAIN)))
        except BadFrame as error:
            raise BadFrame(f"{name}:{number}: {error}") from None
    return found


def _frame(text: str, answer: Answer | None, *, plain: bool) -> Frame:
    if answer is None:
        raise BadFrame("a phrasing before the first section")
    spoken = {match[1] + match[2] for match in SLOT.finditer(text)}
    for call in answer.calls:
        for name, value in call.arguments:
            if lost := {m[1] + m[2] for m in SLOT.finditer(value)} - spoken:
                raise BadFrame(f"{name} wants {', '.join(sorted(lost))}, which the phrasing lacks")
    return Frame(text, answer, plain)


def _answer(head: str) -> Answer:
    first, _, rest = head.partition("|")
    if first.strip() == "say":
        if not rest.strip():
            raise BadFrame("nothing is said")
        return Answer(say=rest.strip())
    return Answer(tuple(_call(part) for part in head.split("&&")))


def _call(text: str) -> Call:
    tool, *pairs = (part.strip() for part in text.split(" | "))
    arguments = tuple(
        (key.strip(), value.strip()) for key, _, value in (p.partition("=") for p in pairs)
    )
    if not tool.isidentifier() or not all(key.isidentifier() for key, _ in arguments):
        raise BadFrame(f"no call: {text.strip()[:60]}")
    return Call(tool, arguments)


@cache
def shipped() -> tuple[Frame, ...]:
    """Every phrasing of the package, in the order of the files' names."""
    folder = files("training.curriculum").joinpath("frames")
    found: list[Frame] = []
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".txt"):
            found += parse(entry.read_text(encoding="utf-8"), entry.name)
    return tuple(dict.fromkeys(found))


@cache
def by_intent(*, held: bool) -> dict[str, tuple[Frame, ...]]:
    """The phrasings of each intent, those for training or those held out; plain ones repeated."""
    found: dict[str, list[Frame]] = {}
    for frame in shipped():
        if frame.held == held:
            times = _PLAIN_WEIGHT if frame.plain else 1
            found.setdefault(frame.answer.intent, []).extend([frame] * times)
    return {intent: tuple(frames) for intent, frames in found.items()}
