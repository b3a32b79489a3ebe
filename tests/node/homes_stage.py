"""Nodes of one fleet in this process, joined by a cable: what the tests of homes share."""

import json
from contextlib import AsyncExitStack, asynccontextmanager
from types import SimpleNamespace

import anyio
import msgspec
from house import House, play

from hermes.config import Mesh
from hermes.core.clock import SystemClock
from hermes.gateway.client import Client
from hermes.identity.hot import HotKey
from hermes.mesh.members import Card, Standing
from hermes.mesh.post import Post
from hermes.node.department import Ground
from hermes.node.homes import Homes
from hermes.node.owner import open_owner
from hermes.node.presence import Presence
from hermes.node.replication import Replication
from hermes.testing.links import Cable

CLOCK = SystemClock()
LEASE_S = 2.0


class People:
    """Everybody is a member, and stays one."""

    def __init__(self, me, everybody):
        self.others = tuple(one for one in everybody if one != me)
        self.changed = []

    def admits(self, node):
        return node in self.others


class NoReplicas:
    """Each node has what was said at it."""

    async def fetched(self, _conversation):
        pass

    def place(self, _conversation):
        return ""


class Here:
    def __init__(self, owner):
        self._owner = owner

    async def open(self):
        return self._owner.receive_here(), True


class Neighbour:
    """One node: its house, its owner, its homes and a front end."""

    def __init__(self, house, key):
        self.house = house
        self.key = key
        self.me = key.public
        self.owner = self.homes = self.client = self.presence = None

    def scripts(self, *lines):
        """What its own model will say."""
        self.house.settings = msgspec.structs.replace(
            self.house.settings, model=self.house.script(*lines)
        )

    def request(self, text="go", **fields):
        return self.house.request(text, **fields)

    async def play(self, text="go", limit_s=20, **fields):
        with anyio.fail_after(limit_s):
            return await play(self.client, self.request(text, **fields))

    async def status(self, conversation=""):
        return await self.client.status(conversation)

    async def until(self, holds, limit_s=20):
        """Ask until it is so: these answers have no event."""
        with anyio.fail_after(limit_s):
            while not holds():  # noqa: ASYNC110 - as said
                await anyio.sleep(0.02)


class Town:
    """A fleet; `names` are the houses of its nodes."""

    def __init__(self, base, names="abc", **settings):
        keys = {name: HotKey(bytes([index + 1]) * 32) for index, name in enumerate(names)}
        self.everybody = tuple(key.public for key in keys.values())
        self.cable = Cable(self._treat)
        self.cut = set()
        settings.setdefault("mesh", Mesh(presence_s=0.3, lease_s=LEASE_S, listen="127.0.0.1:1"))
        self.nodes = {
            name: Neighbour(House(base / name, **settings), key) for name, key in keys.items()
        }
        self._stacks = {}

    def _treat(self, to, data):
        sender = json.loads(data)["node_id"]
        return [] if frozenset({sender, to}) in self.cut else [data]

    def part(self, *sides):
        """Only nodes of one side hear each other."""
        side = {self.nodes[name].me: number for number, names in enumerate(sides) for name in names}
        self.cut = {
            frozenset({one, other}) for one in side for other in side if side[one] != side[other]
        }

    def heal(self):
        self.cut = set()

    @asynccontextmanager
    async def living(self, name, *, replicas=True):
        """One node, from its start to its end."""
        node = self.nodes[name]
        people = People(node.me, self.everybody)
        settings, house = node.house.settings, node.house
        async with AsyncExitStack() as stack:
            owner = await stack.enter_async_context(
                open_owner(settings, house.environ, CLOCK, lasting=True)
            )
            end = self.cable.end(node.me)
            post = await stack.enter_async_context(
                Post(
                    node.key,
                    owner.rooms.store.mesh,
                    [end],
                    CLOCK,
                    lambda who, _what: people.admits(who),
                )
            )
            tasks = await stack.enter_async_context(anyio.create_task_group())
            presence = Presence(node.key, post, people, CLOCK, plain_card, settings.mesh.presence_s)
            ground = Ground(
                settings, owner, CLOCK, node.key, None, post, presence, people, None, None
            )
            replication = Replication(ground) if replicas else NoReplicas()
            homes = Homes(ground, replication)
            departments = [homes, replication] if replicas else [homes]

            def learn(report, tasks=tasks, post=post, departments=departments):
                if report.standing is Standing.ALIVE:
                    tasks.start_soon(post.present, report.node)
                for one in departments:
                    one.learnt(report)

            presence.learnt = learn
            tasks.start_soon(presence.run)
            for one in departments:
                tasks.start_soon(one.run)
            client = Client(Here(owner), CLOCK)
            await client.connect()
            tasks.start_soon(client.run)
            node.owner, node.homes, node.client, node.presence = owner, homes, client, presence
            node.post = post
            stack.callback(tasks.cancel_scope.cancel)
            yield node

    @asynccontextmanager
    async def all(self, **how):
        async with AsyncExitStack() as stack:
            nodes = [await stack.enter_async_context(self.living(n, **how)) for n in self.nodes]
            for node in nodes:
                await node.until(
                    lambda node=node: (
                        node.owner.rooms.state.peers() == len(nodes) - 1
                        and all(
                            node.presence.member(one) for one in node.homes._circle._people.others
                        )
                    )
                )
            yield SimpleNamespace(**self.nodes)


async def plain_card():
    return Card(0, 0, ("chat",))
