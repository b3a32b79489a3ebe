"""An ear that a relay stops talking to: it asks again, and goes on asking while that is refused."""

import anyio
import pytest

from hermes.mesh.event import Filter
from hermes.mesh.nostr_adapter import Wire
from hermes.testing.relays import meddler

EAR = "ear"


class Doorkeeper:
    """Closes a subscription after it has been taken up, and says nothing of it any more.

    So does a relay that refuses who has proved already who it is: the library thinks that the
    subscription goes on. From its `shut`th time on it is let be.
    """

    def __init__(self, shut, reason="auth-required: who are you"):
        self.asked, self.shut, self.reason = 0, shut, reason

    def meddle(self, way, frame):
        if way == "up":
            self.asked += frame[:2] == ["REQ", EAR]
            return [frame]
        if len(frame) < 2 or frame[1] != EAR or self.asked > self.shut:
            return [frame]
        return [["CLOSED", EAR, self.reason]] if frame[0] == "EOSE" else []


@pytest.mark.parametrize("shut", [1, 3])
@pytest.mark.parametrize("reason", ["auth-required: who are you", "restricted: not now"])
async def test_an_ear_that_was_shut_hears_again(relay, alice, bob, clock, shut, reason):
    keeper = Doorkeeper(shut, reason)
    async with meddler(relay, keeper.meddle) as url, Wire(alice, clock) as wire:
        await wire.connect([url])
        async with wire.subscribe(Filter(kinds=(1,), authors=(bob.public,))) as ear:
            said = bob.sign(1, "are you there?", (), clock.now_ms() // 1000)
            async with Wire(bob, clock) as other:
                await other.connect([relay])
                await other.publish(said)
            with anyio.fail_after(20):
                async for heard in ear:
                    assert heard.event.id == said.id
                    break
            assert keeper.asked == shut + 1


async def test_a_relay_that_never_lets_it_is_not_asked_in_a_loop(relay, alice, bob, clock):
    keeper = Doorkeeper(1_000_000)
    async with meddler(relay, keeper.meddle) as url, Wire(alice, clock) as wire:
        await wire.connect([url])
        async with wire.subscribe(Filter(kinds=(1,), authors=(bob.public,))) as ear:
            with anyio.move_on_after(1.5):
                async for heard in ear:
                    raise AssertionError(heard)
            assert keeper.asked <= 5  # after 0.2 s, 0.4 s, 0.8 s, …
