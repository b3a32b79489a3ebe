"""What runs beside the prompt: our turns one after another, others' turns, the status."""

import anyio
import msgspec

from hermes.core.event import Event, TurnStarted, is_final
from hermes.core.ids import TurnId, uuid7
from hermes.errors import HermesError
from hermes.gateway.render_event import arguments_line
from hermes.gateway.terminal_state import Chat

_POLL_S = 0.5


class Turns:
    """Runs the queue and listens to the conversation."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._stop_wanted = False
        self._heard = ""  # what was last asked elsewhere

    async def run(self) -> None:
        """Say queued messages, one turn after another."""
        while True:
            text = await self._chat.next_message()
            await self._turn(text)

    async def listen(self) -> None:
        """Show what other front ends do in the current conversation."""
        while True:
            moved = self._chat.moved
            async with anyio.create_task_group() as tasks:
                if self._chat.conversation:
                    tasks.start_soon(self._watch)
                await moved.wait()
                tasks.cancel_scope.cancel()

    async def poll(self) -> None:
        """Keep the status fresh while a turn runs or the engine starts."""
        while True:
            await anyio.sleep(_POLL_S)
            if self._chat.view.busy or self._chat.view.warming:
                await self.refresh()

    async def stop(self) -> None:
        """Stop the running turn, also one that has not started to answer yet."""
        if not self._chat.conversation:
            self._stop_wanted = True
            return
        try:
            await self._chat.door.stop(self._chat.conversation)
        except HermesError as error:
            await self._say(error)

    async def _turn(self, text: str) -> None:
        chat = self._chat
        request = msgspec.structs.replace(
            chat.view.request, turn_id=TurnId(uuid7()), text=text, interactive=True
        )
        chat.view.own.add(request.turn_id)
        chat.view.begin()
        await chat.transcript.user(text)
        try:
            async with chat.door.turn(request) as events:
                async for event in events:
                    await self._own(event)
        except HermesError as error:
            await self._say(error)
        finally:
            chat.view.end()
        await self.refresh()

    async def _own(self, event: Event) -> None:
        chat = self._chat
        if not chat.conversation and event.conversation_id:
            chat.go_to(event.conversation_id, chat.view.title)
        if self._stop_wanted:
            self._stop_wanted = False
            await self.stop()
        await chat.transcript.show(event)

    async def _watch(self) -> None:
        chat = self._chat
        try:
            async with chat.door.watch(chat.conversation, interactive=True) as events:
                async for event in events:
                    if event.turn_id not in chat.view.own:
                        await self._other(event)
        except HermesError as error:
            await self._say(error)

    async def _other(self, event: Event) -> None:
        if isinstance(event, TurnStarted):
            asked = await self._chat.last_question()
            if not (event.resumed and asked == self._heard):  # it stands there already
                await self._chat.transcript.user(asked, "  (from elsewhere)")
            self._heard = asked
        await self._chat.transcript.show(event)
        if is_final(event):
            await self.refresh()

    async def refresh(self) -> None:
        """Ask how things stand; what cannot be asked is a hint, no error."""
        try:
            await self._chat.refresh()
        except HermesError as error:
            self._chat.view.hint = arguments_line(error.message, 40)

    async def _say(self, error: HermesError) -> None:
        view = self._chat.view
        await self._chat.screen.say(f"{view.marks.failed} {error.message}", "bad")
        if error.remedy:
            await self._chat.screen.say(f"  {error.remedy}", "dim")
