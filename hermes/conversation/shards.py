"""The conversations that are open in this owner, each with its own loop.

A conversation is loaded when its first message comes and put away when it was quiet for a
while; its session is closed then, and the historian of a later issue works on closed ones.
"""

from collections.abc import AsyncGenerator, Callable, Collection, Iterable
from contextlib import asynccontextmanager

import anyio
import msgspec
from anyio.abc import TaskGroup

from hermes.conversation.kit import Kit
from hermes.conversation.loop import Loop
from hermes.conversation.session import Session
from hermes.core.event import Event, TurnFailed, TurnFinished, TurnStarted, Usage
from hermes.core.ids import ConversationId, SessionId, TurnId, uuid7
from hermes.core.request import TurnRequest
from hermes.errors import ConversationUnknown, HermesError, TurnError
from hermes.store.turns import TurnRecord

_ATTEMPTS = 3  # a turn that took its owner down so often is not tried again
_RESUME_AGE_MS = 15 * 60 * 1000


class Shards:
    """Open conversations by id."""

    def __init__(self, kit: Kit, tasks: TaskGroup) -> None:
        self._kit = kit
        self._tasks = tasks
        self._loops: dict[ConversationId, Loop] = {}
        self._addressed: dict[TurnId, ConversationId] = {}  # not in the store, nor submitted
        self._made: set[ConversationId] = set()  # ids that were never stored
        self._opening = anyio.Lock()

    async def address(self, request: TurnRequest) -> TurnRequest:
        """Give a turn its conversation: where it was begun, the named one, or a new id."""
        async with self._opening:
            conversation = await self._place(request)
        return msgspec.structs.replace(request, conversation_id=conversation)

    async def _place(self, request: TurnRequest) -> ConversationId:
        turn = request.turn_id
        for conversation, loop in self._loops.items():
            if loop.has(turn):
                return conversation
        if (record := await self._kit.store.turns.get(turn)) is not None:
            return record.conversation
        named = request.conversation_id
        if named and named not in self._loops:
            named = await self._kit.store.conversations.resolve(named)
        if not named and turn not in self._addressed:
            named = self.fresh()
        return self._addressed.setdefault(turn, named)

    async def submit(self, request: TurnRequest, catch_up: Callable[[Event], None]) -> None:
        """Take an addressed turn: run it, resume it, or tell how it ended.

        Args:
            request: a turn that `address` has seen.
            catch_up: gets the events of a turn that is over already.
        """
        turn, conversation = request.turn_id, request.conversation_id
        async with self._opening:
            if (running := self._loops.get(conversation)) and running.has(turn):
                return
            unknown = self._addressed.pop(turn, None) is not None
            record = None if unknown else await self._kit.store.turns.get(turn)
            if record is not None and record.state != "running":
                for event in _told(record):
                    catch_up(event)
                return
            if record is not None and record.attempts >= _ATTEMPTS:
                raise TurnError(f"this turn was interrupted {record.attempts} times", "ask again")
            # The last step awaits nothing, so that the loop cannot end in between.
            (await self._loop(conversation, request)).submit(request)

    def fresh(self) -> ConversationId:
        """A new conversation's id."""
        self._made.add(made := ConversationId(uuid7()))
        return made

    def is_fresh(self, conversation: ConversationId) -> bool:
        """Whether a conversation was made here, and nothing was said in it yet."""
        return conversation in self._made

    def release(self, turn: TurnId) -> None:
        """An addressed turn is not to be submitted here."""
        self._addressed.pop(turn, None)

    async def resume(self, others: Collection[str] = ()) -> None:
        """Go on with the turns that an earlier owner left unfinished a short while ago.

        `others`: turns that their conversations' homes go on with, or told as lost.
        """
        young = self._kit.clock.now_ms() - _RESUME_AGE_MS
        for record in await self._kit.store.turns.unfinished():
            if record.attempts >= _ATTEMPTS or record.started < young or record.id in others:
                continue
            place = {"conversation_id": record.conversation}
            try:
                await self.submit(msgspec.structs.replace(record.request, **place), _unheard)
            except HermesError as error:
                self._kit.report("resuming a turn", error)

    def stop(self, conversation: ConversationId) -> bool:
        """Stop a conversation's running turn; False when none runs."""
        loop = self._loops.get(conversation)
        return loop.stop() if loop else False

    def busy(self) -> list[Loop]:
        """The loops with a turn under way or waiting."""
        return [loop for loop in self._loops.values() if not loop.idle.is_set()]

    async def _loop(self, conversation: ConversationId, request: TurnRequest) -> Loop:
        """The conversation's loop; loads it when it is not open."""
        if conversation not in self._loops:
            session = await self._session(conversation, request)
            self._loops[conversation] = loop = Loop(self._kit, session)
            self._tasks.start_soon(self._keep, conversation, loop)
        return self._loops[conversation]

    async def peek(self, conversation: ConversationId, request: TurnRequest) -> Session:
        """A session to look at, open already or not; looking changes nothing."""
        if loop := self._loops.get(conversation):
            return loop.session
        if not conversation:
            return _new_session(self._kit, conversation, request)
        info = await self._kit.store.conversations.get(conversation)
        history = await self._kit.store.conversations.history(conversation)
        session = _new_session(self._kit, conversation, request)
        session.messages = [stored.message for stored in history]
        session.root = info.root
        return session

    def find(self, conversation: ConversationId) -> Loop | None:
        """The conversation's loop while it is open."""
        return self._loops.get(conversation)

    @asynccontextmanager
    async def away(self, conversation: ConversationId) -> AsyncGenerator[None]:
        """Keep a conversation closed meanwhile: the next turn loads it afresh.

        Raises TurnError when a turn is under way in it.
        """
        async with self.aside((conversation,)) as busy:
            if busy:
                raise TurnError("a turn is running in this conversation", "wait for it, or /stop")
            yield

    @asynccontextmanager
    async def aside(
        self, conversations: Iterable[ConversationId]
    ) -> AsyncGenerator[frozenset[ConversationId]]:
        """Keep conversations closed meanwhile but those with a turn under way: gives these."""
        busy: set[ConversationId] = set()
        async with self._opening:
            for conversation in conversations:
                if (loop := self._loops.get(conversation)) is None:
                    continue
                if not loop.idle.is_set():
                    busy.add(conversation)
                    continue
                loop.close()
                del self._loops[conversation]
                await self._close(loop)
            yield frozenset(busy)

    async def close(self) -> None:
        """Close every session; what still runs stays unfinished in the store."""
        for loop in list(self._loops.values()):
            if loop.idle.is_set():
                await self._close(loop)
        self._loops.clear()

    async def _keep(self, conversation: ConversationId, loop: Loop) -> None:
        await loop.run()
        if self._loops.get(conversation) is loop:  # it was quiet for long
            del self._loops[conversation]
            await self._close(loop)

    async def _close(self, loop: Loop) -> None:
        if not loop.session.new:
            await self._kit.store.conversations.close_session(
                loop.session.id, self._kit.clock.now_ms()
            )

    async def _session(self, conversation: ConversationId, request: TurnRequest) -> Session:
        store, now = self._kit.store, self._kit.clock.now_ms()
        if conversation in self._made:
            self._made.remove(conversation)
            return _new_session(self._kit, conversation, request)
        try:
            info = await store.conversations.get(conversation)
        except ConversationUnknown:
            return _new_session(self._kit, conversation, request)
        history = await store.conversations.history(conversation)
        messages = [stored.message for stored in history]
        began = [message for message in messages if message.turn == request.turn_id]
        return Session(
            conversation=conversation,
            node=store.node,
            id=await store.conversations.open_session(conversation, now),
            root=info.root,
            private=info.private,
            messages=messages,
            heads=info.heads,
            unclosed=True,
            continues=began[0].session if began else None,
            surroundings=self._kit.surroundings,
        )


def _new_session(kit: Kit, conversation: ConversationId, request: TurnRequest) -> Session:
    return Session(
        conversation=conversation,
        node=kit.store.node,
        id=SessionId(uuid7()),
        root=request.root,
        private=request.private,
        messages=[],
        heads=(),
        new=True,
        surroundings=kit.surroundings,
    )


def _unheard(_event: Event) -> None:
    """Nobody asked."""


def _told(record: TurnRecord) -> tuple[Event, ...]:
    """The events of a turn that is over, for a front end that asks again."""
    conversation, turn, at = record.conversation, record.id, record.finished or 0
    started = TurnStarted(conversation_id=conversation, turn_id=turn, at=record.started)
    usage = msgspec.convert(record.usage, Usage)
    if record.state == "finished":
        return started, TurnFinished(
            conversation_id=conversation, turn_id=turn, at=at, text=record.text, usage=usage
        )
    return started, TurnFailed(
        conversation_id=conversation,
        turn_id=turn,
        at=at,
        error=record.error or record.state,
        remedy=record.remedy,
        kind="TurnStopped" if record.state == "stopped" else "",
        usage=usage,
    )
