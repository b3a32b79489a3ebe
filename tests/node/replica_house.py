"""Nodes of one fleet in this process: real owners, post offices and links over one relay.

Who is alive is what a test says: `meet` and `part` stand for gossip.
"""

from contextlib import AsyncExitStack, asynccontextmanager

import anyio
from house import House, play

from hermes.core.ids import ConversationId
from hermes.identity.hot import HotKey
from hermes.testing import fleets
from hermes.testing.fleets import resident

SOON_S = 45


class Node:
    """One node, and its house."""

    def __init__(self, house, resident):
        self.house = house
        self.resident = resident
        self.key, self.owner, self.post, _, self.replication, self.town = resident

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
        nodes = []
        for n, key in enumerate(keys):
            house = House(base / f"n{n}")
            made = resident(house.settings, house.environ, relay, key, keys)
            nodes.append(Node(house, await stack.enter_async_context(made)))
        yield nodes


def meet(*nodes):
    """They hear of each other."""
    fleets.meet(*(node.resident for node in nodes))


def part(*nodes):
    """They hold each other for dead."""
    fleets.part(*(node.resident for node in nodes))


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
