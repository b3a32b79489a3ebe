"""Where the events of turns go: every front end that watches a conversation gets all of them.

Publishing never waits: a watcher that reads too slowly is cut off and has to ask again.
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from hermes.core.event import Event
from hermes.core.ids import ConversationId

_BACKLOG = 50_000  # events a slow watcher may be behind


class Bus:
    """Fan-out of events by conversation, in order."""

    def __init__(self) -> None:
        self._watchers: dict[ConversationId, dict[MemoryObjectSendStream[Event], bool]] = (
            defaultdict(dict)
        )

    @contextmanager
    def watch(
        self, conversation: ConversationId, *, interactive: bool
    ) -> Iterator[MemoryObjectReceiveStream[Event]]:
        """Receive a conversation's events from now on.

        Args:
            conversation: whose events.
            interactive: whether somebody can answer an approval here.
        """
        send, receive = anyio.create_memory_object_stream[Event](math.inf)
        watchers = self._watchers[conversation]
        watchers[send] = interactive
        try:
            with send, receive:
                yield receive
        finally:
            watchers.pop(send, None)
            if not watchers:
                self._watchers.pop(conversation, None)

    def publish(self, event: Event) -> None:
        """Hand an event to everybody who watches its conversation."""
        for send in list(self._watchers.get(event.conversation_id, ())):
            if send.statistics().current_buffer_used >= _BACKLOG:
                send.close()
                self._watchers[event.conversation_id].pop(send, None)
                continue
            try:
                send.send_nowait(event)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                self._watchers[event.conversation_id].pop(send, None)

    def someone_answers(self, conversation: ConversationId) -> bool:
        """Whether an interactive front end watches the conversation."""
        return any(self._watchers.get(conversation, {}).values())
