"""What this node and the others have of the conversations, as replication goes by it just now.

What another node has is what it said itself, on disk; beside it what was sent to it a moment ago
and is not confirmed yet, so that nothing is sent twice for being quick.
"""

from collections.abc import Collection, Iterable, Mapping

import anyio

from hermes.core.ids import Cid, ConversationId
from hermes.store.replica_values import State
from hermes.store.replicas import Replicas

_UNCONFIRMED_S = 5.0


class Books:
    """The states, by node and conversation."""

    def __init__(self, replicas: Replicas, me: str) -> None:
        self._replicas = replicas
        self._me = me
        self.mine: dict[ConversationId, State] = {}
        self._theirs: dict[str, dict[ConversationId, State]] = {}
        self._sent: dict[tuple[str, ConversationId], tuple[State, float]] = {}

    async def look(
        self, only: Collection[ConversationId] | None = None
    ) -> dict[ConversationId, State]:
        """Look how far the conversations are here; gives those that changed since."""
        states = await self._replicas.states(self._me, only)
        changed = {place: one for place, one in states.items() if self.mine.get(place) != one}
        for place in [*self.mine] if only is None else only:
            if place not in states:  # it became private
                self.mine.pop(place, None)
        self.mine |= changed
        return changed

    async def theirs(self, node: str) -> Mapping[ConversationId, State]:
        """What a node said that it has."""
        if node not in self._theirs:
            self._theirs[node] = await self._replicas.told(node)
        return self._theirs[node]

    async def heard(self, node: str, states: Mapping[ConversationId, State]) -> None:
        """A node says what it has."""
        held = await self.theirs(node)
        news = {place: one for place, one in states.items() if held.get(place) != one}
        await self._replicas.heard(node, news)
        self._theirs[node].update(news)
        for place in states:
            self._sent.pop((node, place), None)

    async def forget(self, node: str) -> None:
        """Know nothing of a node: it has not what it was believed to have."""
        await self._replicas.forget(node)
        self._theirs[node] = {}

    def sent(self, node: str, places: Iterable[ConversationId]) -> None:
        """These were sent to a node, or it was told of them, as they are here."""
        until = anyio.current_time() + _UNCONFIRMED_S
        for place in places:
            if (state := self.mine.get(place)) is not None:
                self._sent[node, place] = (state, until)

    async def base(self, node: str, place: ConversationId) -> tuple[Cid, ...]:
        """What a node has of a conversation, or will have in a moment."""
        known = [*state.heads] if (state := (await self.theirs(node)).get(place)) else []
        return tuple(dict.fromkeys([*known, *self._under_way(node, place)]))

    async def behind(self, node: str) -> dict[ConversationId, State]:
        """What is otherwise here than a node said, without what was just sent to it."""
        held = await self.theirs(node)
        now = anyio.current_time()
        return {
            place: state
            for place, state in self.mine.items()
            if held.get(place) != state and not self._waits(node, place, now)
        }

    def _under_way(self, node: str, place: ConversationId) -> tuple[Cid, ...]:
        sent = self._sent.get((node, place))
        return sent[0].heads if sent and sent[1] > anyio.current_time() else ()

    def _waits(self, node: str, place: ConversationId, now: float) -> bool:
        sent = self._sent.get((node, place))
        return sent is not None and sent[1] > now
