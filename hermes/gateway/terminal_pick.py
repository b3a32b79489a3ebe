"""Asking a person to choose: a list narrowed by typing, a yes or no, a word."""

from collections.abc import Callable, Sequence

from prompt_toolkit import PromptSession
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from hermes.gateway.render_text import clean
from hermes.gateway.terminal_screen import Screen
from hermes.gateway.terminal_view import clip

_FRAME = 3


def fuzzy(wanted: str, rows: Sequence[str]) -> list[int]:
    """Rows that have the letters of `wanted` in order, the tightest match first."""
    scored = []
    for index, row in enumerate(rows):
        spread = _spread(wanted.lower().replace(" ", ""), row.lower())
        if spread is not None:
            scored.append((spread, index))
    return [index for _, index in sorted(scored)]


class Picker:
    """Asks above the status line; every question can be left with Escape or Ctrl-C."""

    def __init__(self, screen: Screen, pointer: str) -> None:
        self._screen = screen
        self._pointer = pointer

    async def pick(self, title: str, rows: Sequence[str]) -> int | None:
        """Let somebody choose a row; None when they left."""
        state = _Choice(title, [clean(row) for row in rows])
        session: PromptSession[str] = PromptSession(
            message=lambda: state.shown(self._screen, self._pointer),
            key_bindings=_keys(state),
            erase_when_done=True,
        )
        state.text = lambda: session.default_buffer.text
        try:
            await session.prompt_async()
        except (EOFError, KeyboardInterrupt):
            return None
        return state.chosen

    async def word(self, question: str) -> str | None:
        """Ask for a word; None when they left."""
        session: PromptSession[str] = PromptSession(erase_when_done=True, key_bindings=_keys(None))
        try:
            return (await session.prompt_async([("class:prompt", f"{clean(question)} ")])).strip()
        except (EOFError, KeyboardInterrupt):
            return None

    async def confirm(self, question: str) -> bool:
        """Ask for yes or no; anything but yes is no."""
        answer = await self.word(f"{question} [y/N]")
        return (answer or "").lower() in {"y", "yes"}


class _Choice:
    def __init__(self, title: str, rows: Sequence[str]) -> None:
        self.title = title
        self.text: Callable[[], str] = str
        self._rows = rows
        self._at = 0

    @property
    def chosen(self) -> int | None:
        """The row under the pointer."""
        matching = fuzzy(self.text(), self._rows)
        return matching[min(self._at, len(matching) - 1)] if matching else None

    def move(self, by: int) -> None:
        """Move the pointer."""
        last = len(fuzzy(self.text(), self._rows)) - 1
        self._at = max(0, min(min(self._at, last) + by, last))

    def shown(self, screen: Screen, pointer: str) -> StyleAndTextTuples:
        """The title and the rows around the pointer."""
        matching = fuzzy(self.text(), self._rows)
        at = min(self._at, max(len(matching) - 1, 0))
        room = max(screen.rows - _FRAME, 1)
        first = max(0, min(at - room // 2, len(matching) - room))
        fragments: StyleAndTextTuples = [("class:status", f"{self.title}\n")]
        for place, index in enumerate(matching[first : first + room], first):
            mark = pointer if place == at else " "
            style = "class:prompt" if place == at else ""
            fragments.append((style, clip(f"{mark} {self._rows[index]}", screen.columns) + "\n"))
        return [*fragments, ("class:prompt", f"filter {pointer} ")]


def _keys(state: _Choice | None) -> KeyBindings:
    keys = KeyBindings()

    @keys.add("escape", eager=True)
    def _(event: KeyPressEvent) -> None:
        event.app.exit(exception=EOFError)

    if state is None:
        return keys

    @keys.add("up")
    def _(event: KeyPressEvent) -> None:
        del event
        state.move(-1)

    @keys.add("down")
    def _(event: KeyPressEvent) -> None:
        del event
        state.move(1)

    return keys


def _spread(letters: str, row: str) -> int | None:
    """How far the letters lie apart in the row; None when they are not all there in order."""
    if not letters:
        return 0
    if letters in row:
        return len(letters)
    at = start = row.find(letters[0])
    for letter in letters:
        at = row.find(letter, at)
        if at < 0:
            return None
        at += 1
    return at - start + len(letters)
