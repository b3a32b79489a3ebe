"""What the lower end of the screen shows: the unfinished text, running tools, status, prompt."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import anyio
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.utils import get_cwidth

from hermes.core.event import ApprovalAsked, Json
from hermes.core.ids import CallId, TurnId
from hermes.core.request import TurnRequest
from hermes.gateway.render_blocks import Blocks
from hermes.gateway.render_event import Marks
from hermes.gateway.render_text import clean, one_line

_TAIL_LINES = 6
_LONGEST_TITLE = 40
_LONGEST_ALARM = 60
_SHORTEST_TITLE = 12  # less of a title says nothing
_AT_REST = {"", "ready", "idle", "none", "stopped"}  # the engine loads again when it is needed
_KEPT_ROWS = 8  # for status, input and what was there before


@dataclass
class View:
    """The chat as it stands now; `request` is the pattern of the next turn."""

    request: TurnRequest
    marks: Marks
    title: str = ""
    hint: str = ""
    queue: list[str] = field(default_factory=list)  # messages that wait for their turn
    since: float | None = None  # when the running turn began
    joined: bool = False  # that turn is known from the status only: we came in its middle
    own: set[TurnId] = field(default_factory=set)
    status: dict[str, Json] = field(default_factory=dict)
    tools: dict[CallId, str] = field(default_factory=dict)
    approvals: dict[CallId, ApprovalAsked] = field(default_factory=dict)
    palette: Mapping[str, str] = field(default_factory=dict)  # the skin's colours
    blocks: Blocks = field(default_factory=Blocks)
    changed: Callable[[], None] = lambda: None

    @property
    def busy(self) -> bool:
        """Whether a turn of this conversation runs, ours or another's."""
        return self.since is not None

    @property
    def warming(self) -> bool:
        """Whether the engine is about to be ready."""
        return str((self.status.get("engine") or {}).get("state") or "") not in _AT_REST

    def begin(self) -> None:
        """A turn runs now."""
        self.since = anyio.current_time()
        self.changed()

    def end(self) -> None:
        """No turn runs any more."""
        self.since, self.joined = None, False
        self.tools.clear()
        self.approvals.clear()
        self.changed()

    def message(self, rows: int, columns: int) -> StyleAndTextTuples:
        """Everything above the cursor, for a terminal of this size."""
        room = max(1, min(_TAIL_LINES, rows - _KEPT_ROWS))
        long = columns * room  # of the last lines no more can be seen
        lines = [clean(line[-long:]) for line in self.blocks.tail(room)]
        tail = [row for line in lines for row in rows_of(line, columns)][-room:]
        running = [line for call, line in self.tools.items() if call not in self.approvals]
        queued = [f"  queued: {one_line(clean(text), columns)}" for text in self.queue if self.busy]
        fragments: StyleAndTextTuples = [("", f"{line}\n") for line in tail]
        for style, several in (("class:running", running), ("class:status", queued)):
            shown = [clip(clean(line), columns) for line in several[-room:]]
            fragments += [(style, f"{line}\n") for line in shown]
        fragments.append(("class:status", self.status_line(columns) + "\n"))
        prompt = f"y/a/n/d {self.marks.prompt} " if self.approvals else f"{self.marks.prompt} "
        fragments.append(("class:prompt", prompt))
        return fragments

    def status_line(self, columns: int = 80) -> str:
        """What was just asked of the person, model, context, speed, work, mode, title."""
        words = [self.hint, *self._alarms(), self._model(), *self._numbers(), *self._work()]
        words.append(self.request.mode)
        if self.request.private:
            words.append("private")
        line = " " + self.marks.dot.join(word for word in words if word)
        room = columns - get_cwidth(line) - len(self.marks.dot) - 1
        title = one_line(clean(self.title), _LONGEST_TITLE)
        if title and room >= min(_SHORTEST_TITLE, get_cwidth(title)):
            line += self.marks.dot + (title if get_cwidth(title) <= room else cut(title, room))
        return clip(line, columns)

    def _alarms(self) -> list[str]:
        alarms = self.status.get("alarms") or []
        return [one_line(clean(str(alarms[0])), _LONGEST_ALARM), "see /status"] if alarms else []

    def _model(self) -> str:
        context = self.status.get("context") or {}
        chosen = self.request.model or context.get("model") or self.status.get("model")
        name = clean(str(chosen or "the model that ships"))
        return one_line(name.rpartition("/")[2].rpartition("#")[2], 28)

    def _numbers(self) -> list[str]:
        words = []
        context = self.status.get("context") or {}
        if window := int(context.get("window") or 0):
            used = int(context.get("used") or 0)
            words.append(f"{100 * used // window}% of {window:,}")
        engine = self.status.get("engine") or {}
        if speed := float(engine.get("tokens_per_s") or 0):
            words.append(f"{speed:,.0f} tok/s")
        if (state := str(engine.get("state") or "")) not in _AT_REST:
            words.append(one_line(clean(state), 20))
        return words

    def _work(self) -> list[str]:
        words = []
        if self.since is not None:
            words.append(f"working {anyio.current_time() - self.since:.0f} s")
        if self.approvals:
            words.append("needs your word")
        if self.queue and self.busy:
            words.append(f"{len(self.queue)} queued")
        return words


def rows_of(line: str, columns: int) -> list[str]:
    """A line as the terminal would break it, so that its end can be seen while it grows."""
    rows = []
    while line:
        rows.append(clip(line, columns))
        line = line.replace("\t", "    ")[max(len(rows[-1]), 1) :]
    return rows or [""]


def cut(text: str, columns: int) -> str:
    """As much as fits with an ellipsis after it."""
    return clip(text, columns - 2).rstrip() + "..."


def clip(line: str, columns: int) -> str:
    """As much of the end-less line as fits, by the width of its characters."""
    line = line.replace("\t", "    ").replace("\n", " ")
    if len(line) < columns // 2:
        return line
    width = 0
    for index, character in enumerate(line[: columns + 1]):
        width += get_cwidth(character)
        if width >= columns:
            return line[:index]
    return line
