"""Nodes of one fleet in this process: real owners, post offices and links over one relay.

Who is alive is what a test says: `meet` and `part` stand for gossip.
"""

import dataclasses
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
from house import House, play

from hermes.core.clock import SystemClock
from hermes.core.ids import ConversationId
from hermes.identity.hot import HotKey
from hermes.mesh.members import Member, Report, Standing
from hermes.mesh.nostr_adapter import Wire
from hermes.mesh.nostr_keys import NostrKeys
from hermes.mesh.nostr_link import NostrLink
from hermes.mesh.post import Post
from hermes.node.department import Ground
from hermes.node.owner import open_owner
from hermes.node.replication import Replication
from hermes.store.lock import OwnerLock

CLOCK = SystemClock()
SOON_S = 20


class Town:
    """Who belongs here, and who is there."""

    def __init__(self, me, keys):
        self.others = tuple(key.public for key in keys if key.public != me)
        self.alive = set()

    def admits(self, node):
        return node in self.others

    def member(self, node):
        return Member(1, Standing.ALIVE, 0) if node in self.alive else None


@dataclasses.dataclass
class Node:
    """One node."""

    key: HotKey
    house: House
    owner: Any
    post: Post
    replication: Replication
    town: Town

    @property
    def store(self):
        return self.owner.rooms.store

    async def talk(self, *texts, conversation="", answers=None, **fields):
        """Turns on a scripted model."""
        lines = answers or [{"text": f"answer to {text}"} for text in texts]
        model = self.house.script(*lines, name=f"{len(texts)}{conversation[:8]}.jsonl")
        async with self.house.client() as client:
            for text in texts:
                request = self.house.request(
                    text, model=model, conversation_id=ConversationId(conversation), **fields
                )
                events = await play(client, request)
                conversation = events[0].conversation_id
        return conversation

    async def texts(self, conversation):
        return [one.message.text for one in await self.store.conversations.history(conversation)]

    async def state(self, conversation):
        held = await self.store.replicas.states(self.key.public, (conversation,))
        return held.get(conversation)

    async def heads(self, conversation):
        return (await self.store.conversations.get(conversation)).heads

    async def query(self, name, **arguments):
        return await self.owner.rooms.desk.query(name, arguments)


@asynccontextmanager
async def fleet(base, relay, count=2):
    """So many nodes; nobody is met yet."""
    keys = [HotKey(bytes([n + 1]) * 32) for n in range(count)]
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(node(base / f"n{n}", relay, key, keys))
            for n, key in enumerate(keys)
        ]


@asynccontextmanager
async def node(base, relay, key, keys):
    house = House(base)
    town = Town(key.public, keys)
    lock = OwnerLock(house.settings.data_dir)
    assert await anyio.to_thread.run_sync(lock.try_acquire)
    async with AsyncExitStack() as stack:
        stack.callback(lock.release)
        yield await stack.enter_async_context(opened(house, town, relay, key))


@asynccontextmanager
async def opened(house, town, relay, key):
    async with (
        open_owner(house.settings, house.environ, CLOCK, lasting=False) as owner,
        Wire(NostrKeys(key.secret), CLOCK) as wire,
    ):
        await wire.connect((relay,))
        book = owner.rooms.store.mesh
        link = NostrLink(wire, book, CLOCK, known=town.admits)
        async with (
            Post(key, book, (link,), CLOCK, lambda who, _: town.admits(who)) as post,
            anyio.create_task_group() as tasks,
        ):
            ground = Ground(house.settings, owner, CLOCK, key, wire, post, town, town, None, None)
            replication = Replication(ground)
            tasks.start_soon(replication.run)
            with anyio.fail_after(SOON_S):
                await link.caught_up.wait()
            yield Node(key, house, owner, post, replication, town)
            tasks.cancel_scope.cancel()


def meet(*nodes):
    """They hear of each other."""
    for one in nodes:
        for other in nodes:
            if other is not one:
                one.town.alive.add(other.key.public)
                one.replication.learnt(Report(other.key.public, 1, Standing.ALIVE))


def part(*nodes):
    """They hold each other for dead."""
    for one in nodes:
        one.town.alive -= {other.key.public for other in nodes}


async def until(holds, *args):
    """Wait until something asked of a node is so."""
    with anyio.fail_after(SOON_S):
        while not (found := await holds(*args)):  # noqa: ASYNC110 - what is on another's disk
            await anyio.sleep(0.02)
    return found


async def same(*nodes, conversation):
    """Wait until a conversation is the same on all nodes; gives its words."""

    async def agreed():
        try:
            told = [(await one.state(conversation), await one.texts(conversation)) for one in nodes]
        except Exception as error:
            if type(error).__name__ != "ConversationUnknown":
                raise
            return None
        return told[0][1] if told[0][0] and all(one == told[0] for one in told) else None

    return await until(agreed)
