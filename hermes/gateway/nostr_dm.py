"""The Nostr gateway: any NIP-17 client is a front end, once its key was paired by a one-time code.

Strangers get nothing, not even a refusal. Does not guard against who holds a paired phone.
"""

from collections.abc import Callable
from contextlib import suppress

import anyio
from anyio.abc import TaskGroup

from hermes.core.clock import Clock
from hermes.errors import HermesError
from hermes.gateway import dm_say
from hermes.gateway.dm_book import Book
from hermes.gateway.dm_code import code_in
from hermes.gateway.dm_mail import FILE, Mail
from hermes.gateway.dm_out import Outgoing, Where
from hermes.gateway.dm_talk import Office, Talk
from hermes.gateway.dm_ticket import Ticket
from hermes.gateway.dm_turns import is_gone
from hermes.gateway.render_text import clean, one_line
from hermes.gateway.terminal_door import Door
from hermes.mesh.event import Rumour
from hermes.mesh.nostr_adapter import Wire
from hermes.store.dms import Received

_NOTE_S = 1.0
_LOOK_ROUNDS = 30
_LEAVE_S = 1.0


class NostrDm:
    """The gateway; `refused` counts what had no effect, by reason."""

    def __init__(
        self,
        door: Door,
        wire: Wire,
        clock: Clock,
        report: Callable[[str, BaseException], None],
        look_s: float = 60.0,
        where: Where = lambda _to: (),
    ) -> None:
        self._door = door
        self._report = report
        self._book = Book(door)
        self._mail = Mail(wire, self._book, clock, look_s)
        self._out = Outgoing(wire, self._book, clock, where)
        self._office = Office(self._book, self._out, clock, report)
        self._talks: dict[str, tuple[Talk, anyio.CancelScope]] = {}
        self._tasks: TaskGroup
        self.refused = self._mail.refused

    async def run(self) -> None:
        """Serve until cancelled; raises HermesError when the owner is gone for good."""
        async with anyio.create_task_group() as self._tasks:
            await self._tasks.start(self._out.run)
            await self._resume()
            self._tasks.start_soon(self._mail.run)
            self._tasks.start_soon(self._keep_house)
            try:
                await self._read()
            finally:
                with anyio.move_on_after(_LEAVE_S, shield=True), suppress(HermesError):
                    await self._mail.note()

    async def _read(self) -> None:
        with self._mail.messages as messages:
            async for rumour in messages:
                try:
                    await self._hear(rumour)
                except HermesError as error:
                    if is_gone(error):
                        raise
                    self._report("a direct message", error)
                    self._mail.missed(rumour)

    async def _resume(self) -> None:
        """Go on with what has no answer yet."""
        for message in await self._book.unfinished():
            talk = await self._talk(message.sender)
            if talk is None:
                continue
            if message.kind == "code":
                await self._out.say(message.sender, [], [message.id])
            elif message.kind == "control" and not message.text.startswith("/"):
                said = "Hermes was restarted before your answer had an effect: please repeat it."
                await self._out.say(message.sender, [said], [message.id])
            else:
                talk.hear(Ticket(message, kept=True))

    async def _hear(self, rumour: Rumour) -> None:
        if code := code_in(rumour.content):
            await self._code(code, rumour)
            return
        paired, came = await self._book.look(rumour.pubkey, rumour.id)
        talk = await self._talk(rumour.pubkey) if paired else None
        text = _file_told(rumour) if rumour.kind == FILE else rumour.content.strip()
        if talk is None:
            self._end(rumour.pubkey)
            self._mail.refuse(rumour, "not paired")
        elif came:
            self._mail.refuse(rumour, "replayed")
        elif len({tag[1] for tag in rumour.tags if tag[:1] == ("p",)} - {rumour.pubkey}) > 1:
            self._mail.refuse(rumour, "a group")
        elif not text:
            self._mail.refuse(rumour, "empty")
        else:
            kind = "file" if rumour.kind == FILE else talk.kind_of(text)
            ticket = Ticket(_received(rumour, kind, text))
            talk.hear(ticket)
            await self._keep_message(ticket, rumour)

    async def _keep_message(self, ticket: Ticket, rumour: Rumour) -> bool:
        """Write a message down; False: it came before, or its sender was just unpaired."""
        kept = False
        try:
            kept = await self._book.take(ticket.message)
        finally:
            ticket.settle(kept=kept)
        if kept:
            self._mail.handled(rumour)
        else:
            self._mail.refuse(rumour, "replayed")
        return kept

    async def _code(self, code: str, rumour: Rumour) -> None:
        """Let a key in by a code; a code is never said to the agent, whatever becomes of it."""
        let_in = await self._book.pair(code, rumour.pubkey)
        talk, ticket = await self._talk(rumour.pubkey), Ticket(_received(rumour, "code", ""))
        if talk is None:
            self._mail.refuse(rumour, "not paired")
        elif await self._keep_message(ticket, rumour):
            said = "That code is not open; you are paired already."
            if let_in and (person := await self._book.person(rumour.pubkey)):
                talk.move(person)
                said = dm_say.welcome(person)
            await self._out.say(rumour.pubkey, [said], [rumour.id])

    async def _talk(self, key: str) -> Talk | None:
        """The talk with a paired key; None: a stranger."""
        if known := self._talks.get(key):
            return known[0]
        person = await self._book.person(key)
        if person is None:
            return None
        talk = Talk(person, self._door, self._office)
        scope = anyio.CancelScope()
        self._talks[key] = talk, scope
        self._tasks.start_soon(self._keep, talk, scope)
        return talk

    async def _keep(self, talk: Talk, scope: anyio.CancelScope) -> None:
        with scope:
            await talk.run()

    def _end(self, key: str) -> None:
        """Let go of whoever is not paired any more."""
        if known := self._talks.pop(key, None):
            known[1].cancel()

    async def _keep_house(self) -> None:
        """Write down what was seen; let go of whoever was unpaired."""
        rounds = 0
        while True:
            await anyio.sleep(_NOTE_S)
            rounds += 1
            try:
                await self._mail.note()
                for key in list(self._talks) if rounds % _LOOK_ROUNDS == 0 else ():
                    if await self._book.person(key) is None:
                        self._end(key)
            except HermesError as error:
                if is_gone(error):
                    raise
                self._report("the books of direct messages", error)


def _received(rumour: Rumour, kind: str, text: str) -> Received:
    return Received(rumour.id, rumour.pubkey, rumour.created_at * 1_000, kind, text)


def _file_told(rumour: Rumour) -> str:
    """A file that was sent, by reference: nothing is fetched for a message's sake."""
    about = ", ".join(
        f"{name} {one_line(clean(value), 100)}"
        for name in ("file-type", "size", "x")
        if (value := rumour.tag(name))
    )
    place = one_line(clean(rumour.content), 500)
    return f"[A file was sent by reference: {place}{f' ({about})' if about else ''}]"
