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


class SkewedClock:
    """The machine's clock, off by as much as a test wants."""

    ahead_ms = 0

    def now_ms(self):
        return SystemClock().now_ms() + self.ahead_ms


@pytest.fixture
def clock():
    return SkewedClock()


@pytest.fixture
async def wire(alice, clock):
    async with Wire(alice, clock) as wire:
        yield wire
