import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from nostr_sdk import Keys

from hermes.testing.nostr_client import RawClient, raw_client, signed
from relay.rules import Rules
from relay.server import Place, Relay, open_relay

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


@pytest.fixture(scope="module")
def owner() -> Keys:
    return Keys.generate()


@pytest.fixture(scope="module")
async def relay(tmp_path_factory: pytest.TempPathFactory, owner: Keys) -> AsyncIterator[Relay]:
    rules = Rules(owners=frozenset({key_of(owner)}), free_per_minute=100_000, work_bits=8,
                  free_total_per_minute=100_000)  # fmt: skip
    async with open_relay(Place(tmp_path_factory.mktemp("relay")), rules) as opened:
        yield opened


@pytest.fixture
async def author(relay: Relay) -> AsyncIterator[Author]:
    async with author_at(relay) as one:
        yield one


@pytest.fixture
async def other(relay: Relay) -> AsyncIterator[Author]:
    async with author_at(relay) as one:
        yield one


@pytest.fixture
async def stranger(relay: Relay) -> AsyncIterator[Author]:
    async with author_at(relay, admitted=False) as one:
        yield one


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "relay")


class FixedClock:
    def __init__(self, now_ms: int) -> None:
        self.at = now_ms

    def now_ms(self) -> int:
        return self.at


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW * 1000)
