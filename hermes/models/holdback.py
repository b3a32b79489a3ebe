"""Holds back generated text that may begin a call, so that none flashes on the screen.

Prose passes without delay. What is held here is given out, or taken as a call, at the end
of the answer: `dialects.parse` decides then. An answer that begins as JSON waits whole.
"""

import re
from collections.abc import Collection
from typing import Literal

from hermes.core.model import Piece
from hermes.models.quoting import FENCE, closing_fence, half_mark, mark_in_line

_THINK, _UNTHINK = "<think>", "</think>"
_PYTHON = "<|python_tag|>"
_FENCED = re.compile(r"`{1,20}[ \t]*(?:json|JSON|tool_calls?|tool_code)?[ \t]*")
_OPENED = re.compile(r"`{1,20}[ \t]*(?P<word>\w{0,10})")
_LANGUAGES = ("json", "JSON", "tool_calls", "tool_code")
_WORD = re.compile(r"[\w.-]+")
_LINE, _KEPT = 4096, 1024  # a longer line keeps only its end in view

Stage = Literal["lead", "thought", "start", "prose", "held"]


class Holdback:
    """Takes generated text as it comes; `names` are the offered tools."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._stage: Stage = "lead"
        self._buffer = ""
        self._said: list[str] = []
        self._thinks = False
        self._line = ""
        self._whole_line = True
        self._sent = 0
        self._fence = ""
        self._blank = ""

    @property
    def answer(self) -> str:
        """Everything so far but thoughts, given out or not."""
        return "".join(self._said) + (self._buffer if self._stage in ("lead", "start") else "")

    def feed(self, text: str) -> list[Piece]:
        """Take text, return what may be shown now."""
        pieces: list[Piece] = []
        if self._stage == "lead":
            text = self._lead(text)
        if self._stage == "thought":
            text = self._thought(text, pieces)
        if self._stage == "start" and (text or self._buffer):
            text = self._start(text)
        elif self._stage in ("prose", "held"):
            self._said.append(text)
        if self._stage == "prose" and text and (shown := self._prose(text)):
            pieces.append(Piece(shown))
        return pieces

    def flush(self) -> list[Piece]:
        """Give out what was held of an unfinished thought."""
        if self._stage != "thought" or not self._buffer:
            return []
        rest, self._buffer = self._buffer, ""
        return [Piece(rest, thought=True)]

    def _lead(self, text: str) -> str:
        self._buffer += text
        begin = self._buffer.lstrip()
        if _THINK.startswith(begin):
            return ""  # also while there are only blanks
        rest, self._buffer = self._buffer, ""
        self._thinks = begin.startswith(_THINK)
        self._stage = "thought" if self._thinks else "start"
        return begin.removeprefix(_THINK) if self._thinks else rest

    def _thought(self, text: str, pieces: list[Piece]) -> str:
        joined = self._buffer + text
        thought, end, rest = joined.partition(_UNTHINK)
        self._buffer = "" if end else _half(joined, _UNTHINK)
        thought = thought if end else joined[: len(joined) - len(self._buffer)]
        if thought:
            pieces.append(Piece(thought, thought=True))
        if end:
            self._stage = "start"
        return rest

    def _start(self, text: str) -> str:
        self._buffer += text
        if self._thinks:
            self._buffer = self._buffer.lstrip()
        whole = self._may_be_whole(self._buffer.lstrip()) if self._names else False
        if whole is None:
            return ""
        rest, self._buffer = self._buffer, ""
        self._said.append(rest)
        self._stage = "held" if whole else "prose"
        return rest

    def _may_be_whole(self, begin: str) -> bool | None:
        """Whether the answer may be a call and nothing else; None: too early to say."""
        match begin[:1]:
            case "{":
                return True
            case "[":
                return self._listed(begin[1:].lstrip())
            case "`":
                return _fenced(begin)
            case "<" | "":
                return None if _PYTHON.startswith(begin) else begin.startswith(_PYTHON)
            case _:
                return False

    def _listed(self, rest: str) -> bool | None:
        word = _WORD.match(rest)
        if not rest or not word:
            return rest.startswith("{") if rest else None
        name, after = word[0], rest[word.end() :].lstrip()
        if after:
            return name == "TOOL_CALLS" or (name in self._names and after[0] == "(")
        return None if any(n.startswith(name) for n in (*self._names, "TOOL_CALLS")) else False

    def _prose(self, text: str) -> str:
        if not self._names:
            return text
        out: list[str] = []
        for part in text.splitlines(keepends=True) if "\n" in text else [text]:
            self._line += part
            if self._stage == "prose":
                out.append(self._passed())
        joined = self._blank + "".join(out)
        shown = joined.rstrip()
        self._blank = joined[len(shown) :]
        return shown

    def _passed(self) -> str:
        """What of the current line may go out; a marker outside quotes ends the prose."""
        line, done = self._line, self._line.endswith("\n")
        safe = len(line)
        fence = FENCE.match(line) if self._whole_line and not self._fence else None
        if self._fence:
            if done and self._whole_line and closing_fence(self._fence).match(line.rstrip("\n")):
                self._fence = ""
        elif fence:
            self._fence = fence[1] if done else ""
        elif (mark := mark_in_line(line)) is not None:
            safe = mark
            if done or line.count("`", 0, mark) % 2 == 0:
                self._stage = "held"
        elif not done:
            safe -= half_mark(line)
        out, self._sent = line[self._sent : safe], max(safe, self._sent)
        if done:
            self._line, self._sent, self._whole_line = "", 0, True
        elif len(line) > _LINE:
            drop = min(self._sent, len(line) - _KEPT)
            self._line, self._sent, self._whole_line = line[drop:], self._sent - drop, False
        return out


def _fenced(begin: str) -> bool | None:
    line, end, rest = begin.partition("\n")
    if end:
        inside = rest.lstrip()[:1]
        if not _FENCED.fullmatch(line) or not line.startswith("```"):
            return False
        return inside in "{[" if inside else None
    opened = _OPENED.fullmatch(line.rstrip())
    if opened and any(language.startswith(opened["word"]) for language in _LANGUAGES):
        return None
    return False


def _half(text: str, mark: str) -> str:
    """Return the end of the text that may be the beginning of a mark."""
    start = text.rfind(mark[0], max(0, len(text) - len(mark) + 1))
    return text[start:] if start >= 0 and mark.startswith(text[start:]) else ""
