"""Some nodes of a fleet in one process, with stores, keys and homes of their own.

Says once a second how each of them sees the fleet, and what it has sent; each sends one durable
letter to every fifth of the others once it is asked to. Membership is given: how it comes about is
not what is measured.
"""

import hashlib
import os
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import msgspec
from anyio.abc import TaskGroup

from hermes.config import Mesh, Settings
from hermes.core.clock import SystemClock
from hermes.identity.hot import HotKey
from hermes.mesh.envelope import Letter
from hermes.mesh.event import NostrEvent
from hermes.mesh.members import Card, Report
from hermes.mesh.nostr_adapter import Wire
from hermes.mesh.nostr_keys import NostrKeys
from hermes.mesh.nostr_link import NostrLink
from hermes.mesh.post import Post
from hermes.node.department import Ground
from hermes.node.homes import Homes
from hermes.node.owner import open_owner
from hermes.node.presence import Presence, word
from hermes.node.replication import Replication

CLOCK = SystemClock()
_LOAD = "load"
STEP = 5


class View(msgspec.Struct, frozen=True):
    """One node: whom it holds for what (by number), and what it has sent and got."""

    node: int
    alive: tuple[int, ...]
    dead: tuple[int, ...]
    messages: int
    sealed: int
    got: int
    twice: int
    dropped: dict[str, int]


class Given(msgspec.Struct, frozen=True):
    """What a process is told: which nodes of how many are its own."""

    place: str
    secret: str
    relays: tuple[str, ...]
    first: int
    last: int
    count: int
    presence_s: float = 30.0


def key_of(secret: str, number: int) -> HotKey:
    """A node's key."""
    return HotKey(hashlib.sha256(f"{secret}/{number}".encode()).digest())


class Scale(Wire):
    """A wire that weighs what goes out: each wrap as its relay gets it."""

    messages = 0
    sealed = 0

    async def publish(
        self, event: NostrEvent, urls: Iterable[str] | None = None, *, first: bool = False
    ) -> Mapping[str, str]:
        """Publish."""
        self.messages += 1
        self.sealed += len(event.json)
        return await super().publish(event, urls, first=first)


class People:
    """Everybody is a member."""

    def __init__(self, me: str, everybody: tuple[str, ...]) -> None:
        self.others = tuple(one for one in everybody if one != me)
        self.changed: list[object] = []
        self._members = frozenset(self.others)

    def admits(self, node: str) -> bool:
        """Whether a key is a member's."""
        return node in self._members


class Node:
    """One of them; use `live` once."""

    def __init__(self, given: Given, number: int, everybody: tuple[str, ...]) -> None:
        self._given = given
        self._number = number
        self._everybody = everybody
        self._key = key_of(given.secret, number)
        self._seen: Counter[str] = Counter()
        self._home = Path(given.place) / str(number)
        self.presence: Presence
        self.post: Post
        self.wire: Scale
        self._parts: tuple[Callable[[], Coroutine[object, object, None]], ...]

    async def open(self, stack: AsyncExitStack) -> None:
        """Open the store and the post office; `begin` starts what is timed."""
        given, key = self._given, self._key
        people = People(key.public, self._everybody)
        await anyio.Path(self._home).mkdir(parents=True)
        settings = Settings(
            data_dir=self._home / "data",
            config_dir=self._home / "config",
            runtime_dir=self._home / "run",
            search_servers=False,
            model=f"scripted:{self._home}/none.jsonl",
            mesh=Mesh(relays=given.relays, presence_s=given.presence_s),
        )
        environ = {"PATH": os.defpath, "HOME": str(self._home)}
        owner = await stack.enter_async_context(open_owner(settings, environ, CLOCK, lasting=True))
        self.wire = Scale(NostrKeys(key.secret), CLOCK)
        await stack.enter_async_context(self.wire)
        await self.wire.connect(given.relays)
        numbers = {node: number for number, node in enumerate(self._everybody)}

        def where(to: str) -> tuple[str, ...]:
            return (given.relays[numbers[to] % len(given.relays)],)

        book = owner.rooms.store.mesh
        link = NostrLink(self.wire, book, CLOCK, known=people.admits, where=where)
        self.post = Post(key, book, [link], CLOCK, lambda who, _: people.admits(who))
        await stack.enter_async_context(self.post)
        self.presence = Presence(key, self.post, people, CLOCK, _card, given.presence_s)
        ground = Ground(
            settings, owner, CLOCK, key, self.wire, self.post, self.presence,
            people, None, None,  # type: ignore[arg-type] # these two departments ask for no more
        )  # fmt: skip
        replication = Replication(ground)
        departments = (replication, Homes(ground, replication))

        def learnt(report: Report) -> None:
            for one in departments:
                one.learnt(report)

        self.presence.learnt = learnt
        self._parts = (self.presence.run, *(one.run for one in departments), self._count)

    def begin(self, tasks: TaskGroup) -> None:
        """Meet the others."""
        for part in self._parts:
            tasks.start_soon(part)

    async def write(self) -> None:
        """Send letters that have to arrive."""
        for to in self._everybody[self._number % STEP :: STEP]:
            if to != self._key.public:
                await self.post.send(Letter(to, _LOAD, b"{}", ttl_ms=600_000))

    async def _count(self) -> None:
        async with self.post.received(_LOAD) as arrivals:
            async for arrival in arrivals:
                self._seen[str(arrival.envelope.id)] += 1
                await self.post.settle(arrival.envelope)

    def view(self) -> View:
        """How it looks from here."""
        now = CLOCK.now_ms()
        stands = {
            number: word(self.presence.member(node), now)
            for number, node in enumerate(self._everybody)
            if number != self._number
        }
        return View(
            self._number,
            tuple(number for number, how in stands.items() if how == "alive"),
            tuple(number for number, how in stands.items() if how == "dead"),
            self.wire.messages,
            self.wire.sealed,
            len(self._seen),
            sum(times > 1 for times in self._seen.values()),
            dict(self.presence.dropped),
        )


async def _card() -> Card:
    return Card(0, 0, ("chat", "tools"), ("some-model-of-8b",), 3, "2.0.0")


async def _say(nodes: list[Node]) -> None:
    while True:
        views = [node.view() for node in nodes]
        sys.stdout.write(msgspec.json.encode((CLOCK.now_ms(), views)).decode() + "\n")
        sys.stdout.flush()
        await anyio.sleep(1)


async def main() -> None:
    """Live until the first line's sender hangs up; any other line: write letters."""
    given = msgspec.json.decode(sys.stdin.readline(), type=Given)
    everybody = tuple(key_of(given.secret, number).public for number in range(given.count))
    nodes = [Node(given, number, everybody) for number in range(given.first, given.last)]
    async with AsyncExitStack() as stack:
        for node in nodes:
            await node.open(stack)
        async with anyio.create_task_group() as tasks:
            for node in nodes:
                node.begin(tasks)
            tasks.start_soon(_say, nodes)
            while await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
                for node in nodes:
                    await node.write()
            tasks.cancel_scope.cancel()


if __name__ == "__main__":
    anyio.run(main)
