"""Who the relay's tests act as."""

import time
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec
from nostr_sdk import Keys

from hermes.testing.nostr_client import RawClient, raw_client, signed
from relay.server import Relay

NOW = int(time.time())


def key_of(keys: Keys) -> str:
    return keys.public_key().to_hex()


@dataclass
class Author:
    """Somebody with a key and a connection."""

    keys: Keys
    client: RawClient

    @property
    def key(self):
        return key_of(self.keys)

    def event(self, kind, content="", tags=(), at=None):
        return signed(self.keys, kind, content, tags, at)

    async def post(self, kind, content="", tags=(), at=None):
        event = self.event(kind, content, tags, at)
        took, said = await self.client.publish(event)
        assert took, said
        return event

    async def ids(self, *filters):
        return [event["id"] for event in await self.client.ask(*filters)]


@asynccontextmanager
async def author_at(relay: Relay, keys: Keys | None = None, *, admitted=True):
    keys = keys or Keys.generate()
    if admitted:
        rules = relay.rules
        relay.obey(msgspec.structs.replace(rules, admitted=rules.admitted | {key_of(keys)}))
    async with raw_client(relay.url) as client:
        assert (await client.prove(keys, relay.url))[0]
        yield Author(keys, client)


class FixedClock:
    def __init__(self, now_ms: int) -> None:
        self.at = now_ms

    def now_ms(self) -> int:
        return self.at
