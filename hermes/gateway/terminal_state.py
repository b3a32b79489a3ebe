"""One open chat: what slash commands and turns work on."""

from collections import deque
from dataclasses import dataclass, field

import anyio
import msgspec

from hermes.config import Settings
from hermes.core.event import Json
from hermes.core.ids import ConversationId
from hermes.gateway.render_text import one_line
from hermes.gateway.terminal_door import Door
from hermes.gateway.terminal_pick import Picker
from hermes.gateway.terminal_screen import Screen
from hermes.gateway.terminal_transcript import Transcript
from hermes.gateway.terminal_view import View

_SHOWN_ON_RESUME = 6


@dataclass
class Chat:
    """The door, the screen and what the person chose so far."""

    door: Door
    settings: Settings
    screen: Screen
    view: View
    transcript: Transcript
    picker: Picker
    done: bool = False
    draft: str = ""  # what the next prompt begins with
    moved: anyio.Event = field(default_factory=anyio.Event)  # set when the conversation changes

    def __post_init__(self) -> None:
        self._queue: deque[str] = deque()
        self._more = anyio.Event()

    @property
    def conversation(self) -> ConversationId:
        """The conversation; empty until its first turn."""
        return self.view.request.conversation_id

    def choose(self, **changes: Json) -> None:
        """Change what the next turns ask for."""
        self.view.request = msgspec.structs.replace(self.view.request, **changes)
        self.view.changed()

    def go_to(self, conversation: ConversationId, title: str = "") -> None:
        """Make another conversation the current one."""
        self.view.title = title
        self.choose(conversation_id=conversation)
        self.moved.set()
        self.moved = anyio.Event()

    def send(self, text: str) -> None:
        """Queue a message; it is said when the messages before it are answered."""
        self._queue.append(text)
        self.view.queue = list(self._queue)
        self._more.set()
        if not self.view.title:
            self.view.title = one_line(text, 40)

    async def next_message(self) -> str:
        """The next message of the queue."""
        while not self._queue:
            self._more = anyio.Event()
            await self._more.wait()
        text = self._queue.popleft()
        self.view.queue = list(self._queue)
        return text

    def take_back(self) -> list[str]:
        """Empty the queue."""
        taken = list(self._queue)
        self._queue.clear()
        self.view.queue = []
        return taken

    async def refresh(self) -> None:
        """Ask the owner how things stand."""
        view = self.view
        view.status = await self.door.status(self.conversation)
        runs = any(map(self._is_here, view.status.get("running") or []))
        if runs and not view.busy:
            view.begin()
            view.joined = True
        elif view.joined and not runs:
            view.end()
        view.changed()

    async def wear(self, skin: Json) -> None:
        """Show a skin: its colours from now on, and its banner."""
        palette = skin.get("colours") or {}
        self.screen.paint.recolour(palette)
        self.view.palette = palette
        if banner := str(skin.get("banner") or ""):
            lines = banner.rstrip("\n").split("\n")
            await self.screen.commit(self.screen.paint.lines(lines, "accent"))
        self.view.changed()

    async def open(self, shown: Json) -> None:
        """Go to a conversation, as `conversations.show` answered it, and show its end."""
        self.go_to(ConversationId(str(shown["id"])), str(shown.get("title") or ""))
        self.choose(private=bool(shown.get("private")))
        await self.show_last(shown, await self._running_turn())

    async def _running_turn(self) -> str:
        """The turn that runs in the conversation: whoever watches is told all of it."""
        status = await self.door.status(self.conversation)
        running = [turn for turn in status.get("running") or [] if self._is_here(turn)]
        return str(running[0].get("turn_id") or "") if running else ""

    def _is_here(self, turn: Json) -> bool:
        return bool(self.conversation) and turn.get("conversation_id") == self.conversation

    async def show_last(self, shown: Json, running: str = "") -> None:
        """Show the last messages before the running turn, as `conversations.show` told them."""
        self.view.title = str(shown.get("title") or "")
        messages = [
            m
            for m in shown.get("messages", [])
            if m.get("role") in {"user", "assistant"} and not (running and m.get("turn") == running)
        ]
        if (left := len(messages) - _SHOWN_ON_RESUME) > 0:
            before = "1 message" if left == 1 else f"{left} messages"
            await self.screen.say(f"{self.view.marks.notice} {before} before these", "dim")
        for message in messages[-_SHOWN_ON_RESUME:]:
            await self._show_message(message)

    async def last_question(self) -> str:
        """What was last said to the agent."""
        shown: Json = await self.door.query("conversations.show", id=self.conversation)
        asked = [m for m in shown.get("messages", []) if m.get("role") == "user"]
        return text_of(asked[-1]) if asked else ""

    async def _show_message(self, message: Json) -> None:
        text = text_of(message)
        if message.get("role") == "user":
            await self.transcript.user(text)
        elif text:
            await self.transcript.answer(text)
        for part in message.get("parts", []):
            if part.get("type") == "tool_call":
                await self.transcript.call(str(part["name"]), str(part["arguments"]))


def text_of(message: Json) -> str:
    """The words of a message as `conversations.show` answers it."""
    parts = message.get("parts", [])
    return "\n".join(str(p["text"]) for p in parts if p.get("type", "text") == "text")
