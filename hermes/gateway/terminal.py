"""The interactive chat: a prompt that never blocks, and a scrollback of finished text."""

from collections.abc import Mapping

import anyio
import anyio.to_thread
from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.input import Input, create_input
from prompt_toolkit.output import Output

from hermes.config import Settings
from hermes.core.event import Json
from hermes.core.request import TurnRequest
from hermes.errors import HermesError
from hermes.gateway.render_event import marks_for
from hermes.gateway.render_rich import Paint, color_system
from hermes.gateway.terminal_approval import answer
from hermes.gateway.terminal_commands import Commands
from hermes.gateway.terminal_door import Door
from hermes.gateway.terminal_input import make_session, read_history, remember
from hermes.gateway.terminal_models import about, offer
from hermes.gateway.terminal_output import open_output
from hermes.gateway.terminal_pick import Picker
from hermes.gateway.terminal_screen import Screen
from hermes.gateway.terminal_signals import interrupts_ignored
from hermes.gateway.terminal_state import Chat
from hermes.gateway.terminal_transcript import Transcript
from hermes.gateway.terminal_turns import Turns
from hermes.gateway.terminal_view import View
from hermes.load import load


async def run_terminal(
    door: Door,
    settings: Settings,
    request: TurnRequest,
    *,
    environ: Mapping[str, str],
    streams: tuple[Input, Output] | None = None,
) -> int:
    """Chat until the person leaves; `streams` stand for the terminal in tests."""
    given, output = streams or (create_input(), open_output(environ))
    with create_app_session(input=given, output=output):
        async with interrupts_ignored():
            await _chat(await _open(door, settings, request, output, environ))
    return 0


async def _chat(chat: Chat) -> None:
    turns = Turns(chat)
    await _welcome(chat)
    async with anyio.create_task_group() as tasks:
        for job in (turns.run, turns.listen, turns.poll, _warm_up):
            tasks.start_soon(job)
        await _Loop(chat, turns).run()
        tasks.cancel_scope.cancel()


class _Loop:
    """Reads lines and says what becomes of each."""

    def __init__(self, chat: Chat, turns: Turns) -> None:
        self._chat = chat
        self._commands = Commands(turns)
        self._warned = False
        self._session: PromptSession[str]

    async def run(self) -> None:
        """Read until the person leaves."""
        chat, screen = self._chat, self._chat.screen
        path = chat.settings.data_dir / "history"
        history = await anyio.to_thread.run_sync(read_history, path)
        self._session = make_session(
            lambda: chat.view.message(screen.rows, screen.columns),
            self._commands.words,
            self._interrupt,
            history,
            lambda: chat.view.palette,
        )
        self._session.default_buffer.on_text_changed += lambda _: self._calm()
        chat.view.changed = self._session.app.invalidate
        while not chat.done:
            try:
                given, chat.draft = chat.draft, ""
                line = await self._session.prompt_async(default=given)
            except (EOFError, KeyboardInterrupt):
                return
            if line.strip() and not chat.view.request.private:
                await anyio.to_thread.run_sync(remember, path, line)
            try:
                await self._take(line)
            except HermesError as error:
                await screen.say(f"{chat.view.marks.failed} {error.message}", "bad")
                if error.remedy:
                    await screen.say(f"  {error.remedy}", "dim")

    async def _take(self, line: str) -> None:
        if not line.strip():
            return
        if line.startswith("/"):
            await self._commands.run(self._chat, line.strip())
        elif not await answer(self._chat, line.strip()):
            self._chat.send(line.strip())

    async def _interrupt(self, buffer: Buffer) -> bool:
        """Ctrl-C: stop the turn, else clear the line, else warn, else leave."""
        if self._chat.view.busy:
            self._chat.draft = buffer.text
            await self._commands.interrupt(self._chat)
            buffer.text, self._chat.draft = self._chat.draft, ""
            buffer.cursor_position = len(buffer.text)
        elif buffer.text:
            buffer.reset()
        elif self._warned:
            return True
        else:
            self._warned = True
            self._chat.view.hint = "Ctrl-C again or Ctrl-D leaves"
            self._chat.view.changed()
        return False

    def _calm(self) -> None:
        self._warned = False
        self._chat.view.hint = ""


async def _open(
    door: Door,
    settings: Settings,
    request: TurnRequest,
    output: Output,
    environ: Mapping[str, str],
) -> Chat:
    marks = marks_for(output.encoding())
    skin: Json = await door.query("skin.get", name=request.skin) if request.skin else {}
    paint = Paint(
        lambda: output.get_size().columns,
        color_system(environ),
        ascii_only=marks.prompt == ">",
    )
    screen = Screen(output, paint)
    view = View(request, marks)
    chat = Chat(
        door, settings, screen, view, Transcript(screen, view), Picker(screen, marks.prompt)
    )
    await chat.wear(skin)
    return chat


async def _welcome(chat: Chat) -> None:
    if chat.conversation:
        shown: Json = await chat.door.query("conversations.show", id=chat.conversation)
        wanted = chat.view.request.private
        await chat.open(shown)
        if wanted:
            chat.choose(private=True)
    await offer(chat)
    await chat.screen.say(about(chat), "dim")
    await chat.refresh()


async def _warm_up() -> None:
    """Import the Markdown renderer while the person types."""
    await anyio.to_thread.run_sync(load, "rich_text")
