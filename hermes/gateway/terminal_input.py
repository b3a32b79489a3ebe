"""The input line: keys, completion, history."""

import contextlib
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import FileHistory, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.styles import DynamicStyle, Style

Message = Callable[[], StyleAndTextTuples]
Words = Callable[[str], Iterable[tuple[str, str]]]
"""From what stands before the cursor to (completion, what it means) pairs."""

_PLAIN = {"prompt": "bold", "status": "ansibrightblack", "running": "ansicyan"}
_ROLES = {"prompt": ("prompt", "bold"), "status": ("status", ""), "running": ("tool", "")}


def read_history(path: Path) -> InMemoryHistory:
    """What was typed before; blocking."""
    try:
        return InMemoryHistory(list(FileHistory(path).load_history_strings())[::-1])
    except (OSError, UnicodeDecodeError):
        return InMemoryHistory()


def remember(path: Path, line: str) -> None:
    """Add a line to a file that only its owner can read; blocking.

    A home that cannot be written is no reason to stop: history then lasts as long as the chat.
    """
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        FileHistory(path).store_string(line)


def make_session(
    message: Message,
    words: Words,
    interrupt: Callable[[Buffer], Awaitable[bool]],
    history: InMemoryHistory,
    palette: Callable[[], Mapping[str, str]] = dict,
) -> PromptSession[str]:
    """A session that shows `message` above the input; `interrupt` answers whether to quit."""
    slash = Condition(lambda: session.default_buffer.text.startswith("/"))
    session: PromptSession[str] = PromptSession(
        message=message,
        history=history,
        multiline=True,
        key_bindings=_keys(interrupt),
        completer=_Slash(words),
        complete_while_typing=slash,
        reserve_space_for_menu=6,
        prompt_continuation="  ",
        erase_when_done=True,
        style=DynamicStyle(lambda: _style(tuple(sorted(palette().items())))),
    )
    return session


@lru_cache(maxsize=8)
def _style(palette: tuple[tuple[str, str], ...]) -> Style:
    """The lower end of the screen in a skin's colours; plain where it has none."""
    colours = dict(palette)
    worn = {
        name: f"{more} {colours[role]}" if colours.get(role) else _PLAIN[name]
        for name, (role, more) in _ROLES.items()
    }
    try:
        return Style.from_dict(worn)
    except ValueError:  # the owner checked them; another version may know more names
        return Style.from_dict(_PLAIN)


class _Slash(Completer):
    def __init__(self, words: Words) -> None:
        self._words = words

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """Commands and their arguments, while the line starts with a slash."""
        del complete_event
        before = document.text_before_cursor
        if not before.startswith("/") or "\n" in before:
            return
        typed = before.rpartition(" ")[2]
        for word, meaning in self._words(before):
            if word.startswith(typed):
                yield Completion(word, start_position=-len(typed), display_meta=meaning)


def _keys(interrupt: Callable[[Buffer], Awaitable[bool]]) -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.complete_state and buffer.complete_state.current_completion:
            buffer.complete_state = None
        if buffer.document.text_before_cursor.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("c-c")
    @keys.add("<sigint>")
    async def _(event: KeyPressEvent) -> None:
        if await interrupt(event.current_buffer) and event.app.is_running:
            event.app.exit(exception=EOFError)

    return keys
