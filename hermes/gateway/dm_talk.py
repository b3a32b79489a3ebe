"""One person's talk with the agent by message: turns one after another, commands at once.

A message is finished in the same transaction that keeps its answer; one that has none when the
node ends is asked again as the same turn, which asks nothing twice.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import anyio
import msgspec

from hermes.core.clock import Clock
from hermes.core.ids import ConversationId, TurnId
from hermes.errors import HermesError
from hermes.gateway import dm_say
from hermes.gateway.dm_asking import Asking
from hermes.gateway.dm_book import Book
from hermes.gateway.dm_others import Others
from hermes.gateway.dm_out import Outgoing
from hermes.gateway.dm_split import PARTS, split
from hermes.gateway.dm_ticket import Ticket
from hermes.gateway.dm_turns import Told, is_gone, request_of, turn_named
from hermes.gateway.dm_words import command_in, reply_in
from hermes.gateway.gate_talk import GateTalk
from hermes.gateway.render_text import clean, one_line
from hermes.gateway.terminal_door import Door
from hermes.store.dms import Received
from hermes.store.pairings import Pairing

_WAITING = 20
_OWN = 1_000
_NEW = "new"
_GATE_MOST = 20_000
_GATE_PARTS = 10 * PARTS


class Office(NamedTuple):
    """What all talks share: the books, the way out, the time, and where a fault is reported."""

    book: Book
    out: Outgoing
    clock: Clock
    report: Callable[[str, BaseException], None]


class Talk:
    """A person's messages; `run` must run beside whoever calls `hear`."""

    def __init__(self, person: Pairing, door: Door, office: Office) -> None:
        book, out, clock, report = office
        self.person = person
        self._door = door
        self._report = report
        self._book = book
        self._out = out
        self._asking = Asking(person.key, door, out, clock)
        self._others = Others(person.key, self._asking, out)
        self._queue: deque[Ticket] = deque()
        self._urgent: deque[Ticket] = deque()
        self._more, self._pressed, self._moved = anyio.Event(), anyio.Event(), anyio.Event()
        self._running = self._stop_wanted = self._full = False
        self._own: deque[TurnId] = deque(maxlen=_OWN)
        self._commands: dict[str, Callable[[Received], Awaitable[None]]] = {
            "help": self._help,
            "status": self._status,
            "stop": self._stop,
            "successor": self._successor,
        }
        self._gate = GateTalk(door, person.key, "dm", _GATE_MOST)

    def kind_of(self, text: str) -> str:
        """Whether a message waits for its turn, or is acted on at once."""
        command = command_in(text)
        if command is not None:
            return "turn" if command.name == _NEW else "control"
        if self._gate.word_in(text):
            return "control"
        return "control" if self._asking.open and reply_in(text) else "turn"

    def hear(self, ticket: Ticket) -> None:
        """Take a message; in the order in which they came."""
        if ticket.message.kind == "control" or len(self._queue) >= _WAITING:
            self._urgent.append(ticket)
            self._pressed.set()
        else:
            self._own.append(turn_named(ticket.message.id))
            self._queue.append(ticket)
            self._more.set()

    def move(self, person: Pairing) -> None:
        """The person was paired anew, maybe with another directory."""
        self.person = person
        self._moved.set()

    async def run(self) -> None:
        """Talk until cancelled; raises HermesError when the owner is gone for good."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._turns)
            tasks.start_soon(self._act)
            tasks.start_soon(self._listen)

    async def _turns(self) -> None:
        while True:
            while not self._queue:
                self._full = False
                self._more = anyio.Event()
                await self._more.wait()
            ticket = self._queue.popleft()
            self._running = True
            try:
                await self._turn(ticket)
            except HermesError as error:
                await self._excuse(error, ticket)
            finally:
                self._running = self._stop_wanted = False

    async def _excuse(self, error: HermesError, ticket: Ticket) -> None:
        """Say what went wrong; where even that fails, the message is taken up at the next start."""
        if is_gone(error):
            raise error
        try:
            if await ticket.stands():
                await self._say(f"✗ {error.message}\n{error.remedy}", ticket.message)
        except HermesError as worse:
            if is_gone(worse):
                raise
            self._report("answering a direct message", worse)

    async def _turn(self, ticket: Ticket) -> None:
        message = ticket.message
        command = command_in(message.text)
        if command is not None and command.name == _NEW:
            if await ticket.stands():
                await self._go_to(ConversationId(""))
                await self._say("A new conversation.", message)
            return
        told = Told(self._began, self._say, self._asking)
        await told.run(self._door, request_of(message, self.person.desk))
        if await ticket.stands():
            await self._out.say(self.person.key, told.texts, [message.id])

    async def _began(self, conversation: ConversationId) -> None:
        if conversation != self.person.desk.conversation:
            await self._go_to(conversation)
        if self._stop_wanted:
            self._stop_wanted = False
            await self._door.stop(conversation)

    async def _go_to(self, conversation: ConversationId) -> None:
        desk = msgspec.structs.replace(self.person.desk, conversation=conversation)
        self.person = msgspec.structs.replace(self.person, desk=desk)
        await self._book.place(self.person.key, conversation)
        self._moved.set()

    async def _act(self) -> None:
        while True:
            while not self._urgent:
                self._pressed = anyio.Event()
                await self._pressed.wait()
            ticket = self._urgent.popleft()
            try:
                if await ticket.stands():
                    await self._act_on(ticket.message)
            except HermesError as error:
                await self._excuse(error, ticket)

    async def _act_on(self, message: Received) -> None:
        command = command_in(message.text)
        if message.kind != "control":
            await self._crowded(message)
        elif command is not None:
            await self._commands.get(command.name, self._unknown)(message)
        elif word := self._gate.word_in(message.text):
            await self._tell(await self._gate.say(word), message)
        elif reply := reply_in(message.text):
            await self._say(await self._asking.reply(reply), message)

    async def _crowded(self, message: Received) -> None:
        said = "" if self._full else f"{_WAITING} messages wait already: this one was not kept."
        self._full = True
        await self._say(said, message)

    async def _help(self, message: Received) -> None:
        await self._say(dm_say.helped(), message)

    async def _unknown(self, message: Received) -> None:
        name = one_line(clean(message.text), 30)
        await self._say(f"There is no {name}\n{dm_say.helped()}", message)

    async def _status(self, message: Received) -> None:
        now = await self._door.status(self.person.desk.conversation)
        told = dm_say.status(now, self.person, len(self._queue), self._asking.open)
        await self._say(told, message)

    async def _successor(self, message: Received) -> None:
        command = command_in(message.text)
        await self._tell(await self._gate.look(command.rest.strip() if command else ""), message)

    async def _tell(self, lines: list[str], message: Received) -> None:
        texts = split("\n".join(lines), parts=_GATE_PARTS)
        await self._out.say(self.person.key, texts, [message.id])

    async def _stop(self, message: Received) -> None:
        dropped = list(self._queue)
        self._queue.clear()
        conversation = self.person.desk.conversation
        stopped = bool(conversation) and await self._door.stop(conversation)
        self._stop_wanted = self._running and not stopped
        told = [] if self._running else ["Nothing runs."]
        told += [f"{len(dropped)} waiting messages were dropped."] if dropped else []
        done = [message.id, *[one.message.id for one in dropped if await one.stands()]]
        await self._out.say(self.person.key, [" ".join(told)] if told else [], done)

    async def _say(self, text: str, message: Received | None = None) -> None:
        texts = [dm_say.one_part(text)] if text else []
        await self._out.say(self.person.key, texts, [message.id] if message else [])

    async def _listen(self) -> None:
        """Be there for what others start in the conversation, and for its approvals."""
        while True:
            self._moved = anyio.Event()
            async with anyio.create_task_group() as tasks:
                if conversation := self.person.desk.conversation:
                    tasks.start_soon(self._watch, conversation)
                await self._moved.wait()
                tasks.cancel_scope.cancel()

    async def _watch(self, conversation: ConversationId) -> None:
        async with self._door.watch(conversation, interactive=True) as events:
            async for event in events:
                if event.turn_id not in self._own:
                    try:
                        await self._others.tell(event)
                    except HermesError as error:
                        if is_gone(error):
                            raise
                        self._report("telling of a turn", error)
