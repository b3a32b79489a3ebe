"""What this node and the others have of the conversations, as replication goes by it just now.

What another node has is what it said itself, on disk; beside it what was sent to it a moment ago
and is not confirmed yet, so that nothing is sent twice for being quick.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import anyio

from hermes.core.ids import Cid, ConversationId
from hermes.store.replica_values import State
from hermes.store.replicas import Replicas

_PAUSE_S = 3.0
_LONGEST_S = 300.0
_SLOWER = 1.5
_MOST_TOLD = 100_000
"""Conversations that one node may tell of; of more nothing is remembered."""


class _Sent(NamedTuple):
    state: State
    until: float
    pause: float


class Books:
    """The states, by node and conversation."""

    def __init__(self, replicas: Replicas, me: str, most: int = _MOST_TOLD) -> None:
        self._replicas = replicas
        self._me = me
        self._most = most
        self.mine: dict[ConversationId, State] = {}
        self.places: dict[ConversationId, str] = {}
        """The nodes where the directories of conversations are."""
        self._silent: set[ConversationId] = set()
        self._theirs: dict[str, dict[ConversationId, State]] = {}
        self._sent: dict[tuple[str, ConversationId], _Sent] = {}

    async def look(
        self, only: Collection[ConversationId] | None = None
    ) -> Collection[ConversationId]:
        """Look how far the conversations are here; gives those that changed since."""
        held = await self._replicas.states(self._me, only)
        held = {place: one for place, one in held.items() if place not in self._silent}
        changed = [p for p, one in held.items() if self.mine.get(p) != one.state]
        asked = list(self.mine) if only is None else only
        hidden = [p for p in asked if p not in held and p in self.mine]
        for place in hidden:
            del self.mine[place]
            del self.places[place]
        for place in changed:
            self.mine[place] = held[place].state
            self.places[place] = held[place].place
        return changed

    def mute(self, place: ConversationId) -> None:
        """Nothing of it can be given: it reaches into a private one."""
        if self.mine.pop(place, None) is not None:
            self.places.pop(place, None)
            self._silent.add(place)

    async def theirs(self, node: str) -> Mapping[ConversationId, State]:
        """What a node said that it has."""
        if node not in self._theirs:
            self._theirs.setdefault(node, await self._replicas.told(node))
        return self._theirs[node]

    async def heard(self, node: str, states: Mapping[ConversationId, State]) -> None:
        """A node says what it has."""
        held = await self.theirs(node)
        news = {place: one for place, one in states.items() if held.get(place) != one}
        fresh = [place for place in news if place not in held]
        for place in fresh[max(0, self._most - len(held)) :]:
            del news[place]
        await self._replicas.heard(node, news)
        self._theirs[node].update(news)
        for place in news:
            self._sent.pop((node, place), None)

    async def forget(self, node: str, places: Collection[ConversationId] | None = None) -> None:
        """Know nothing of what a node has, of some conversations or of all."""
        held = dict(await self.theirs(node))
        for place in list(held) if places is None else places:
            held.pop(place, None)
        self._theirs[node] = held
        await self._replicas.forget(node, places)

    def met(self, node: str) -> None:
        """A node is there again: whatever was sent to it may be lost."""
        for key in [key for key in self._sent if key[0] == node]:
            del self._sent[key]

    def sent(self, node: str, places: Iterable[ConversationId]) -> None:
        """These were sent to a node, or it was told of them, as they are here.

        Sent in vain again and again, they are sent ever more rarely.
        """
        now = anyio.current_time()
        for place in places:
            if (state := self.mine.get(place)) is not None:
                before = self._sent.get((node, place))
                pause = _PAUSE_S
                if before is not None and before.state == state:
                    pause = min(_LONGEST_S, _SLOWER * before.pause)
                self._sent[node, place] = _Sent(state, now + pause, pause)

    async def base(self, node: str, place: ConversationId) -> tuple[Cid, ...]:
        """What a node has of a conversation, or will have in a moment."""
        held, sent = (await self.theirs(node)).get(place), self._sent.get((node, place))
        known = [*held.heads] if held else []
        if sent is not None and sent.until > anyio.current_time():
            known += sent.state.heads
        return tuple(dict.fromkeys(known))

    async def behind(self, node: str) -> dict[ConversationId, State]:
        """What is otherwise here than a node said, without what was just sent to it."""
        held, now = await self.theirs(node), anyio.current_time()
        return {
            place: state
            for place, state in self.mine.items()
            if held.get(place) != state
            and not ((sent := self._sent.get((node, place))) and sent.until > now)
        }
