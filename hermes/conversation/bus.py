"""Where the events of turns go: every front end that watches a conversation gets all of them.

Publishing never waits: a watcher that reads too slowly is cut off and has to ask again.
"""

import math
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import groupby

import anyio
import msgspec
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from hermes.core.event import Event, Notice, TextDelta, TurnStarted, is_final
from hermes.core.ids import ConversationId
from hermes.core.task_groups import cut_short

_UNSEEN = 20  # notices that are kept for a conversation with nobody there
_BACKLOG = 50_000  # events a slow watcher may be behind


class Bus:
    """Fan-out of events by conversation, in order."""

    def __init__(self, backlog: int = _BACKLOG) -> None:
        self._backlog = backlog
        self._watchers: dict[ConversationId, list[MemoryObjectSendStream[Event]]] = defaultdict(
            list
        )
        self._so_far: dict[ConversationId, list[Event]] = {}
        self._unseen: dict[ConversationId, list[Event]] = {}
        self._people: Counter[ConversationId] = Counter()
        self._moved = anyio.Event()
        self._running: set[ConversationId] = set()
        self._stirred = anyio.Event()
        self._quiet = anyio.Event()
        self._quiet.set()
        self._quiet_at = -math.inf
        self._listeners: list[Callable[[Event], None]] = []

    @contextmanager
    def listen(self, hear: Callable[[Event], None]) -> Iterator[None]:
        """Call `hear` with every event of every conversation meanwhile; it must not wait."""
        self._listeners.append(hear)
        try:
            yield
        finally:
            self._listeners.remove(hear)

    @contextmanager
    def watch(self, conversation: ConversationId) -> Iterator[MemoryObjectReceiveStream[Event]]:
        """Receive a conversation's events from now on; the stream ends for who is too slow."""
        send, receive = anyio.create_memory_object_stream[Event](math.inf)
        self._watchers[conversation].append(send)
        try:
            with send, receive:
                yield receive
        finally:
            self._forget(conversation, send)

    def publish(self, event: Event) -> None:
        """Hand an event to everybody who watches its conversation."""
        self._keep(event)
        self._count(event)
        for hear in self._listeners:
            hear(event)
        for send in list(self._watchers.get(event.conversation_id, ())):
            if send.statistics().current_buffer_used < self._backlog:
                send.send_nowait(event)
            else:
                send.close()
                self._forget(event.conversation_id, send)

    def so_far(self, conversation: ConversationId) -> tuple[Event, ...]:
        """What was told of the turn that runs, for who comes in the middle of it.

        Before it the notices of turns that ended with nobody there: messages are in the
        store, a notice is nowhere else. They are kept until a person is there.
        """
        told = [*self._unseen.get(conversation, ())]
        if self._people[conversation]:
            self._unseen.pop(conversation, None)
        for is_text, group in groupby(
            self._so_far.get(conversation, ()), lambda event: isinstance(event, TextDelta)
        ):
            events = list(group)
            if is_text:
                text = "".join(event.text for event in events if isinstance(event, TextDelta))
                told.append(msgspec.structs.replace(events[-1], text=text))
            else:
                told += events
        return tuple(told)

    def _keep(self, event: Event) -> None:
        if is_final(event):
            told = self._so_far.pop(event.conversation_id, [])
            notices = [event for event in told if isinstance(event, Notice)]
            if notices and not self._people[event.conversation_id]:
                kept = [*self._unseen.get(event.conversation_id, ()), *notices]
                self._unseen[event.conversation_id] = kept[-_UNSEEN:]
        elif event.turn_id:
            self._so_far.setdefault(event.conversation_id, []).append(event)

    async def quiet(self, for_s: float = 0.0) -> None:
        """Return once no turn has run in any conversation for so many seconds."""
        while True:
            await self._quiet.wait()
            left = self._quiet_at + for_s - anyio.current_time()
            if left <= 0:
                return
            with anyio.move_on_after(left):
                await self._stirred.wait()

    @asynccontextmanager
    async def giving_way(self) -> AsyncGenerator[None]:
        """Cancel the body when a turn runs; what the body raises comes out as it is."""
        async with cut_short(self._stirred.wait):
            yield

    def _count(self, event: Event) -> None:
        if isinstance(event, TurnStarted):
            self._running.add(event.conversation_id)
            if not self._stirred.is_set():
                self._stirred.set()
                self._quiet = anyio.Event()
        elif is_final(event) and event.conversation_id in self._running:
            self._running.remove(event.conversation_id)
            if not self._running:
                self._stirred = anyio.Event()
                self._quiet_at = anyio.current_time()
                self._quiet.set()

    @contextmanager
    def attend(self, conversation: ConversationId) -> Iterator[None]:
        """Be there to answer the conversation's approvals."""
        self._move(conversation, 1)
        try:
            yield
        finally:
            self._move(conversation, -1)

    async def deserted(self, conversation: ConversationId, away_s: float) -> None:
        """Return once nobody attended a conversation for so many seconds."""
        while True:
            while self._people[conversation]:
                await self._moved.wait()
            with anyio.move_on_after(away_s):
                while not self._people[conversation]:
                    await self._moved.wait()
            if not self._people[conversation]:
                return

    def _move(self, conversation: ConversationId, step: int) -> None:
        self._people[conversation] += step
        self._people += Counter()  # forgets who is at zero
        moved, self._moved = self._moved, anyio.Event()
        moved.set()

    def _forget(self, conversation: ConversationId, send: MemoryObjectSendStream[Event]) -> None:
        watchers = self._watchers.get(conversation, [])
        if send in watchers:
            watchers.remove(send)
        if not watchers:
            self._watchers.pop(conversation, None)
