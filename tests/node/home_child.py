"""A node of a fleet in a process of its own, until it is killed.

Reads turns to ask for, one JSON object a line; says `ready`, then every event of theirs. Whatever
it is asked to approve it approves.
"""

import sys
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import msgspec
from homes_stage import CLOCK, LEASE_S, Here, People, plain_card
from house import House

from hermes.config import Mesh
from hermes.core.event import ApprovalAsked, to_plain
from hermes.core.request import TurnRequest
from hermes.gateway.client import Client
from hermes.identity.hot import HotKey
from hermes.mesh.nostr_adapter import Wire
from hermes.mesh.nostr_keys import NostrKeys
from hermes.mesh.nostr_link import NostrLink
from hermes.mesh.post import Post
from hermes.node.department import Ground
from hermes.node.homes import Homes
from hermes.node.owner import open_owner
from hermes.node.presence import Presence
from hermes.node.replication import Replication


def say(value):
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


async def main(base: str, url: str, number: str, count: str) -> None:
    keys = [HotKey(bytes([one + 1]) * 32) for one in range(int(count))]
    key = keys[int(number)]
    people = People(key.public, [one.public for one in keys])
    mesh = Mesh(presence_s=0.3, lease_s=LEASE_S, listen="127.0.0.1:1")
    house = House(Path(base), mesh=mesh, model=f"scripted:{base}/script.jsonl")
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        owner = await enter(open_owner(house.settings, house.environ, CLOCK, lasting=True))
        wire = await enter(Wire(NostrKeys(key.secret), CLOCK))
        await wire.connect([url])
        book = owner.rooms.store.mesh
        link = NostrLink(wire, book, CLOCK, known=people.admits)
        post = await enter(Post(key, book, [link], CLOCK, lambda who, _: people.admits(who)))
        tasks = await enter(anyio.create_task_group())
        presence = Presence(key, post, people, CLOCK, plain_card, mesh.presence_s)
        ground = Ground(house.settings, owner, CLOCK, key, wire, post, presence, people, None, None)
        replication = Replication(ground)
        departments = (replication, Homes(ground, replication))
        presence.learnt = lambda report: [one.learnt(report) for one in departments]
        for one in (presence, *departments):
            tasks.start_soon(one.run)
        client = Client(Here(owner), CLOCK)
        await client.connect()
        tasks.start_soon(client.run)
        intake, others = owner.rooms.desk.intake, int(count) - 1
        while intake.route is None or owner.rooms.state.peers() < others:  # noqa: ASYNC110 - no event
            await anyio.sleep(0.02)
        say("ready")
        while line := await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
            request = msgspec.json.decode(line, type=TurnRequest)
            tasks.start_soon(ask, client, request)
        tasks.cancel_scope.cancel()


async def ask(client, request):
    async with client.turn(request) as events:
        async for event in events:
            say(to_plain(event))
            if isinstance(event, ApprovalAsked):
                await client.approve(event.call_id, "yes")


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
