from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nostr_sdk import Keys
from relay_people import NOW, Author, FixedClock, author_at, key_of

from relay.rules import Rules
from relay.server import Place, Relay, open_relay


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


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW * 1000)
