"""What the lower end of the screen shows: the unfinished text, running tools, status, prompt."""

from collections.abc import Callable
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
_KEPT_ROWS = 8  # for status, input and what was there before


@dataclass
class View:
    """The chat as it stands now; `request` is the pattern of the next turn."""

    request: TurnRequest
    marks: Marks
    title: str = ""
    hint: str = ""
    waiting: int = 0  # messages in the queue
    since: float | None = None  # when the running turn began
    own: set[TurnId] = field(default_factory=set)
    status: dict[str, Json] = field(default_factory=dict)
    tools: dict[CallId, str] = field(default_factory=dict)
    approvals: dict[CallId, ApprovalAsked] = field(default_factory=dict)
    blocks: Blocks = field(default_factory=Blocks)
    changed: Callable[[], None] = lambda: None

    @property
    def busy(self) -> bool:
        """Whether a turn of this conversation runs, ours or another's."""
        return self.since is not None

    def begin(self) -> None:
        """A turn runs now."""
        self.since = anyio.current_time()
        self.changed()

    def end(self) -> None:
        """No turn runs any more."""
        self.since = None
        self.tools.clear()
        self.approvals.clear()
        self.changed()

    def message(self, rows: int, columns: int) -> StyleAndTextTuples:
        """Everything above the cursor, for a terminal of this size."""
        room = max(1, min(_TAIL_LINES, rows - _KEPT_ROWS))
        tail = [clip(clean(line), columns) for line in self.blocks.tail(room)]
        running = [clip(clean(line), columns) for line in list(self.tools.values())[-room:]]
        fragments: StyleAndTextTuples = [("", f"{line}\n") for line in tail]
        fragments += [("class:running", f"{line}\n") for line in running]
        fragments.append(("class:status", clip(self.status_line(), columns) + "\n"))
        prompt = f"y/a/n/d {self.marks.prompt} " if self.approvals else f"{self.marks.prompt} "
        fragments.append(("class:prompt", prompt))
        return fragments

    def status_line(self) -> str:
        """Model, context, speed, tools, mode, title."""
        words = [self._model(), *self._numbers(), *self._work(), self.request.mode]
        if self.request.private:
            words.append("private")
        if self.title:
            words.append(one_line(clean(self.title), 32))
        if self.hint:
            words.append(self.hint)
        return " " + self.marks.dot.join(word for word in words if word)

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
            words.append(f"{speed:.0f} tok/s")
        if (state := str(engine.get("state") or "")) not in {"", "ready", "idle", "none"}:
            words.append(one_line(clean(state), 20))
        return words

    def _work(self) -> list[str]:
        words = []
        if self.since is not None:
            words.append(f"working {anyio.current_time() - self.since:.0f} s")
        if self.approvals:
            words.append("needs your word")
        if self.waiting:
            words.append(f"{self.waiting} queued")
        return words


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
