import pytest

from hermes.core.clock import SystemClock
from hermes.mesh.nostr_adapter import Wire
from hermes.mesh.nostr_keys import NostrKeys
from hermes.testing.relays import local_relay


@pytest.fixture
def alice():
    return NostrKeys(b"\1" * 32)


@pytest.fixture
def bob():
    return NostrKeys(b"\2" * 32)


@pytest.fixture
async def relay():
    async with local_relay() as url:
        yield url


@pytest.fixture
async def wire(alice):
    async with Wire(alice, SystemClock()) as wire:
        yield wire
