"""A node that answers direct messages, and a phone that writes them: what these tests share."""

import time
from contextlib import asynccontextmanager

import anyio
from nostr_sdk import EventBuilder, Keys, Kind, Nip44Version, PublicKey, Tag, nip44_encrypt

from hermes.core.clock import SystemClock
from hermes.mesh.event import WRAP, Filter
from hermes.mesh.nostr_adapter import Wire
from hermes.mesh.nostr_keys import NostrKeys, value_of
from hermes.node.dms import Dms
from hermes.node.relay_lists import RelayLists

NODE_SECRET = b"\7" * 32


def seconds() -> int:
    return int(time.time())


class Phone:
    """A person's client: one key, one relay."""

    def __init__(self, keys: NostrKeys, wire: Wire, to: str) -> None:
        self.keys = keys
        self.wire = wire
        self.to = to
        self.got = []
        self.said = 0
        self._send, self._receive = anyio.create_memory_object_stream(1_000)

    def wrap(self, text, *, kind=14, tags=None, at=None, to=None, keys=None):
        keys = keys or self.keys
        moment = at or seconds()
        self.said += 1  # the same words within a second are the same message
        tags = (("p", to or self.to), ("n", str(self.said))) if tags is None else tags
        rumour = keys.rumour(kind, text, tags, moment)
        return keys.wrap(to or self.to, rumour, 0, now=seconds(), live=False)

    def forge(self, text, sender: str):
        """A wrap of ours whose rumour bears somebody else's name."""
        reader, library = PublicKey.parse(self.to), self.keys.library
        rumour = EventBuilder(Kind(14), text).tags([Tag.public_key(reader)])
        told = rumour.finalize_unsigned(PublicKey.parse(sender)).as_json()
        sealed = nip44_encrypt(library.secret_key(), reader, told, Nip44Version.V2)
        seal = EventBuilder(Kind(13), sealed).finalize(library).as_json()
        once = Keys.generate()
        content = nip44_encrypt(once.secret_key(), reader, seal, Nip44Version.V2)
        wrap = EventBuilder(Kind(WRAP), content).tags([Tag.public_key(reader)])
        return value_of(wrap.finalize(once))

    async def publish(self, event):
        said = await self.wire.publish(event)
        assert "" in said.values(), said

    async def say(self, text, **how):
        event = self.wrap(text, **how)
        await self.publish(event)
        return event

    async def listen(self):
        wish = Filter(kinds=(WRAP,), tags={"p": (self.keys.public,)})
        async with self.wire.subscribe(wish) as ear:
            async for event, _ in ear:
                rumour = self.keys.unwrap(event)
                assert rumour.pubkey == self.to
                self.got.append(rumour)
                await self._send.send(rumour)

    async def hear(self, limit_s=15):
        with anyio.fail_after(limit_s):
            return (await self._receive.receive()).content

    async def ask(self, text, **how):
        await self.say(text, **how)
        return await self.hear()

    def silent(self) -> bool:
        return self._receive.statistics().current_buffer_used == 0


@asynccontextmanager
async def phone(relay, to=NostrKeys(NODE_SECRET).public, secret=None):  # noqa: B008 - a constant
    keys = NostrKeys(secret or bytes.fromhex(Keys.generate().secret_key().to_hex()))
    async with Wire(keys, SystemClock()) as wire:
        await wire.connect([relay])
        one = Phone(keys, wire, to)
        async with one._send, one._receive, anyio.create_task_group() as tasks:
            tasks.start_soon(one.listen)
            yield one
            tasks.cancel_scope.cancel()


class Post:
    """A running gateway."""

    def __init__(self, dms, client, house, faults):
        self.dms = dms
        self.client = client
        self.house = house
        self.faults = faults

    @property
    def refused(self):
        return self.dms.gateway.refused

    async def code(self, **fields):
        offer = {"root": str(self.house.project), "cwd": str(self.house.project), **fields}
        return (await self.client.query("pairings.offer", **offer))["code"]

    async def pair(self, person, **fields):
        told = await person.ask(await self.code(**fields))
        assert told.startswith("You are paired with Hermes")

    async def refusal(self, reason, count=1):
        """Wait until so many messages had no effect for a reason."""
        with anyio.fail_after(20):
            while self.refused[reason] < count:  # noqa: ASYNC110 - a counter has no event
                await anyio.sleep(0.01)


@asynccontextmanager
async def serving(house, relay, *, inbox=(), look_s=60.0, book=None):
    """A node's owner with the gateway on one relay."""
    faults = []

    def report(where, error):
        faults.append((where, error))

    keys = NostrKeys(NODE_SECRET)
    async with (
        house.client(interactive=True) as client,
        Wire(keys, SystemClock()) as wire,
    ):
        await wire.connect([relay])
        dms = Dms(client, wire, SystemClock(), report, inbox, look_s)
        dms.lists = RelayLists(wire, book, SystemClock()) if book else None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(dms.run)
            yield Post(dms, client, house, faults)
            tasks.cancel_scope.cancel()
