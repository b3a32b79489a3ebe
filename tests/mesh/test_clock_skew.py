"""Two nodes whose clocks are an hour apart: what arrives, what is refused and why, who is told."""

import time
from contextlib import asynccontextmanager

import anyio
import pytest

from hermes.cli.doctor_mesh import look_closer
from hermes.config import Mesh, Settings
from hermes.core.clock import SystemClock
from hermes.identity.hot import HotKey
from hermes.mesh.clocks import TOLD_MS, Clocks, words
from hermes.mesh.envelope import Letter
from hermes.mesh.members import Card, Standing
from hermes.mesh.nostr_adapter import Wire
from hermes.mesh.nostr_keys import NostrKeys
from hermes.mesh.nostr_link import NostrLink
from hermes.mesh.post import Post
from hermes.node.presence import Presence
from hermes.store.store import Store
from hermes.testing.links import Cable
from relay.rules import Rules
from relay.server import Place, open_relay

HOUR = 3_600_000
TRUE, FAST = HotKey(bytes([5]) * 32), HotKey(bytes([6]) * 32)
BOTH = {TRUE.public, FAST.public}


class Skewed:
    def __init__(self, by_ms=0):
        self.by_ms = by_ms

    def now_ms(self):
        return SystemClock().now_ms() + self.by_ms


class People:
    def __init__(self, me):
        self.others = tuple(BOTH - {me})

    def admits(self, node):
        return node in self.others


@asynccontextmanager
async def office(folder, key, clock, link):
    async with (
        Store.open(folder / f"{key.public[:8]}.db", clock) as store,
        Post(key, store.mesh, (link,), clock, lambda who, _: who in BOTH) as post,
    ):
        yield post


@pytest.fixture
async def two(tmp_path):
    """One with the right time, and one an hour ahead, on a cable that carries everything."""
    cable, ahead = Cable(), Skewed(HOUR)
    async with (
        office(tmp_path, TRUE, Skewed(), cable.end(TRUE.public)) as true,
        office(tmp_path, FAST, ahead, cable.end(FAST.public)) as fast,
    ):
        yield true, fast


async def reasons(post):
    return {one.reason: one.sender for one in await post.refused()}


async def refused(post, reason):
    with anyio.fail_after(10):
        while reason not in (found := await reasons(post)):  # noqa: ASYNC110 - a counter
            await anyio.sleep(0.01)
    return found[reason]


async def test_what_lives_longer_than_the_hour_arrives_from_behind(two):
    true, fast = two
    with fast.received("turn") as turns:
        name = await true.send(Letter(FAST.public, "turn", b"{}", ttl_ms=2 * HOUR))
        with anyio.fail_after(10):
            arrival = await turns.receive()
        assert arrival.envelope.id == name
        await fast.settle(arrival.envelope)
    # The other way it is from the future, and so is the receipt.
    assert await refused(true, "early") == FAST.public
    assert true.clocks.apart(FAST.public) > 59 * 60_000


async def test_what_lives_shorter_is_stale_before_it_arrives(two):
    true, fast = two
    await true.send_live(Letter(FAST.public, "turn", b"{}", ttl_ms=30_000))
    assert await refused(fast, "stale") == TRUE.public
    assert fast.clocks.apart(TRUE.public) < -59 * 60_000
    assert words(fast.clocks.apart(TRUE.public)) == "its clock is 60 min behind ours"


async def test_what_is_from_the_future_is_early_and_stays_with_its_sender(two):
    true, fast = two
    with true.received("turn"):
        await fast.send(Letter(TRUE.public, "turn", b"{}", ttl_ms=2 * HOUR))
        assert await refused(true, "early") == FAST.public
        (waiting,) = await fast._book.waiting()
        assert waiting.recipient == TRUE.public


async def test_neither_is_seen_alive_by_the_other(two):
    async def card():
        return Card(0, 0, ("chat",))

    true, fast = two
    shown = [
        Presence(key, post, People(key.public), clock, card, 0.2)
        for key, post, clock in ((TRUE, true, Skewed()), (FAST, fast, Skewed(HOUR)))
    ]
    async with anyio.create_task_group() as tasks:
        for one in shown:
            tasks.start_soon(one.run)
        await refused(true, "early")
        await refused(fast, "stale")
        for one, other in zip(shown, (FAST, TRUE), strict=True):
            held = one.member(other.public)
            assert held is None or held.standing is not Standing.ALIVE
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["ahead", "behind"])
async def test_a_relay_takes_no_live_wraps_of_another_hour_and_says_why(tmp_path, by):
    rules = Rules(admitted=frozenset(BOTH))
    async with open_relay(Place(tmp_path / "relay"), rules) as relay:
        clock, keys = Skewed(by), NostrKeys(FAST.secret)
        async with Wire(keys, clock) as wire:
            await wire.connect([relay.url])
            async with office_over(tmp_path, wire, clock) as post:
                found = await post.send_live(Letter(TRUE.public, "turn", b"{}", ttl_ms=30_000))
    assert not found.taken
    assert ("future" if by > 0 else "stale") in found.reason


@asynccontextmanager
async def office_over(folder, wire, clock):
    async with Store.open(folder / "over.db", clock) as store:
        link = NostrLink(wire, store.mesh, clock, known=BOTH.__contains__)
        async with Post(FAST, store.mesh, (link,), clock, lambda who, _: who in BOTH) as post:
            yield post


@pytest.mark.parametrize("by", [0, HOUR, -HOUR], ids=["right", "ahead", "behind"])
async def test_the_doctor_compares_clocks_with_our_relay(tmp_path, by):
    async with open_relay(Place(tmp_path / "relay"), Rules(), Skewed(by)) as relay:
        settings = Settings(
            data_dir=tmp_path, config_dir=tmp_path, runtime_dir=tmp_path,
            mesh=Mesh(relays=(relay.url,)),
        )  # fmt: skip
        (check,) = await look_closer(settings, None)
    assert ("clocks agree" in check.detail) == (by == 0)
    if by:
        assert "s apart" in check.detail
        assert "timedatectl" in check.remedy


def test_old_letters_that_waited_say_nothing_of_a_clock():
    now, clocks = int(time.time() * 1000), Clocks()
    clocks.heard("a", now - HOUR, now, live=False)
    clocks.heard("b", now - TOLD_MS + 1, now, live=True)
    assert clocks.all() == {}
    clocks.heard("a", now - HOUR, now, live=True)
    clocks.heard("b", now + HOUR, now, live=False)
    assert clocks.all() == {"a": -HOUR, "b": HOUR}
    clocks.heard("b", now, now, live=True)
    assert clocks.apart("b") == 0
