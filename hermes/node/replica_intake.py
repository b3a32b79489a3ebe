"""Replication's receiving half: what others have is asked for, and what they give is taken in.

A conversation in which a turn runs is asked for again after it: a turn's own copy of the history
must not go stale under it.
"""

import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import anyio
from anyio.abc import TaskGroup

from hermes.conversation.shards import Shards
from hermes.core.ids import ConversationId
from hermes.errors import StoreError
from hermes.node.replica_books import Books
from hermes.node.replica_talk import Talk
from hermes.node.replica_wire import ASKS, Blocks, Have, Want, ask_of, rows_of
from hermes.store.replica_values import Parcel, Taken, state_of
from hermes.store.replicas import Replicas

_ANSWER_S = 6.0
_AT_ONCE = 16
_MOST_LACKING = 20_000


class Intake:
    """Asks and takes in; `tasks` is set while replication runs."""

    def __init__(
        self,
        replicas: Replicas,
        shards: Shards,
        books: Books,
        talk: Talk,
        report: Callable[[str, BaseException], None],
    ) -> None:
        self._replicas = replicas
        self._shards = shards
        self._books = books
        self._talk = talk
        self._me = talk.me
        self._report = report
        self._lacking: dict[str, dict[ConversationId, None]] = {}
        self._later: dict[ConversationId, set[str]] = {}
        self._answers: dict[str, anyio.Event] = {}
        self._moved = anyio.Event()
        self.tasks: TaskGroup | None = None
        self.refused: Counter[str] = Counter()
        """Blocks that were not let in, by reason."""
        self.parted: Callable[[ConversationId], None]
        """Hears of a conversation that has two heads now."""

    def lack(self, node: str, places: Iterable[ConversationId]) -> None:
        """Ask a node for these; one question at a time."""
        if not (wanted := dict.fromkeys(places)) or self.tasks is None:
            return
        if (waiting := self._lacking.get(node)) is not None:
            if len(waiting) < _MOST_LACKING:  # of the rest it is told again
                waiting |= wanted
        else:
            self._lacking[node] = wanted
            self.tasks.start_soon(self._ask_all, node)

    def over(self, conversation: ConversationId) -> None:
        """A turn ended: what came meanwhile is asked for again."""
        for node in self._later.pop(conversation, ()):
            self.lack(node, (conversation,))

    async def fetch(self, node: str, conversation: ConversationId) -> None:
        """Return once a node gave what it has of a conversation, or does not answer."""
        if not await self._ask(node, (conversation,)):
            return
        while conversation in self._lacking.get(node, ()):
            await self._moved.wait()

    async def receive(self, node: str, blocks: Blocks) -> None:
        """Take in what a node gives, and say how far the conversations are here now."""
        parcels = {parcel.id: parcel for parcel in blocks.parcels}
        taken: dict[ConversationId, Taken] = {}
        places = anyio.CapacityLimiter(_AT_ONCE)
        async with self._shards.aside(parcels) as busy, anyio.create_task_group() as tasks:
            for place, parcel in parcels.items():
                if place in busy:
                    self._later.setdefault(place, set()).add(node)
                else:
                    tasks.start_soon(self._keep, parcel, taken, places)
        waiting = self._lacking.get(node, {})
        for place in (*parcels, *blocks.none):
            waiting.pop(place, None)
        for came in taken.values():
            self.refused.update(came.refused)
        self.lack(node, [p for p, came in taken.items() if _again(parcels[p], came, blocks)])
        await self._books.look([place for place, came in taken.items() if came.moved])
        theirs = {p: state_of(parcels[p]) for p in taken if not parcels[p].more}
        await self._books.heard(node, theirs)
        told = {place: state for place in taken if (state := self._books.mine.get(place))}
        if told:
            await self._talk.say(node, Have(rows_of(told)))
        if (answered := self._answers.get(blocks.number)) is not None:
            answered.set()
        self._stir()
        for place, came in taken.items():
            if came.parted:
                self.parted(place)

    async def _keep(
        self,
        parcel: Parcel,
        taken: dict[ConversationId, Taken],
        places: anyio.CapacityLimiter,
    ) -> None:
        async with places:
            try:
                taken[parcel.id] = await self._replicas.take(parcel, self._me)
            except StoreError as error:  # it is told of again, and asked for
                self._report("replication", error)

    async def _ask_all(self, node: str) -> None:
        try:
            while waiting := self._lacking.get(node):
                if not await self._ask(node, list(waiting)[:ASKS]):
                    break  # it is told of again once it is there
        finally:
            self._lacking.pop(node, None)
            self._stir()

    async def _ask(self, node: str, places: Sequence[ConversationId]) -> bool:
        """Ask for some conversations; True once an answer was taken in."""
        asks = tuple([ask_of(await self._replicas.wanted(place)) for place in places])
        number = secrets.token_hex(8)
        answered = self._answers[number] = anyio.Event()
        try:
            if await self._talk.say(node, Want(number, asks)):
                with anyio.move_on_after(_ANSWER_S):
                    await answered.wait()
            return answered.is_set()
        finally:
            del self._answers[number]

    def _stir(self) -> None:
        moved, self._moved = self._moved, anyio.Event()
        moved.set()


def _again(parcel: Parcel, came: Taken, blocks: Blocks) -> bool:
    """Whether asking again brings more; an answer that changes nothing ends it."""
    if came.lacking:
        return bool(came.fresh) or not blocks.number
    return parcel.more
