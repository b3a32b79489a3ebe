"""What a live node takes of gossip: through a real post office, from members and from others."""

from contextlib import asynccontextmanager

import anyio
import msgspec
import pytest

from hermes.core.clock import SystemClock
from hermes.identity.hot import HotKey
from hermes.mesh.envelope import Letter, seal, write
from hermes.mesh.gossip_wire import Rumours, Topic, encode_gossip
from hermes.mesh.link import Received
from hermes.mesh.members import Card, Report, Standing
from hermes.mesh.post import Post
from hermes.mesh.proofs import signed_card, signed_topic
from hermes.node.presence import Presence, word
from hermes.store.store import Store

ME, ALICE, BOB, EVE = (HotKey(bytes([n]) * 32) for n in (1, 2, 3, 4))
CLOCK = SystemClock()


class People:
    others = (ALICE.public, BOB.public)

    def admits(self, node):
        return node in self.others


async def card():
    return Card(0, 0, ("chat",))


class Town:
    """A node, and letters that reach it."""

    def __init__(self, post, presence):
        self.post = post
        self.presence = presence
        self.seq = 0
        self.items = []
        presence.told = self.items.append

    async def hears(self, key, *messages):
        for message in messages:
            self.seq += 1
            letter = Letter(ME.public, "gossip", encode_gossip(message), ttl_ms=60_000)
            envelope = seal(key, letter, self.seq, CLOCK.now_ms())
            await self.post.take(Received(write(envelope), key.public, "test", durable=False))
        await anyio.wait_all_tasks_blocked()

    def stands(self, key):
        return word(self.presence.member(key.public), CLOCK.now_ms())


@pytest.fixture
async def town(tmp_path):
    async with living(tmp_path) as found:
        yield found


@asynccontextmanager
async def living(folder):
    people = People()
    async with (
        Store.open(folder / "hermes.db", CLOCK) as store,
        Post(ME, store.mesh, (), CLOCK, lambda who, _what: people.admits(who)) as post,
    ):
        presence = Presence(ME, post, people, CLOCK, card, 30.0)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(presence.run)
            await anyio.wait_all_tasks_blocked()
            yield Town(post, presence)
            tasks.cancel_scope.cancel()


def report(key, by=None, **changes):
    now = CLOCK.now_ms()
    made = signed_card(by or key, Card(now, now + 60_000, ("chat",), load=3))
    return Report(key.public, now, Standing.ALIVE, msgspec.structs.replace(made, **changes))


async def test_a_members_own_card_is_taken_whoever_passes_it_on(town):
    assert town.stands(BOB) == "unknown"
    await town.hears(ALICE, Rumours((report(BOB),)))
    assert town.stands(BOB) == "alive"
    assert town.presence.member(BOB.public).card.load == 3


async def test_nobody_speaks_for_another(town):
    forged = Rumours((report(BOB, by=ALICE), report(BOB, relays=("ws://evil",))))
    await town.hears(ALICE, forged)
    assert town.stands(BOB) == "unknown"
    assert town.presence.dropped["forged"] == 2


async def test_strangers_neither_speak_nor_are_spoken_of(town):
    await town.hears(EVE, Rumours((report(EVE),)))
    await town.hears(ALICE, Rumours((report(EVE),)))
    assert town.stands(EVE) == "unknown"
    assert town.presence.dropped["stranger"] == 1  # the first did not pass the post office
    assert {one.reason for one in await town.post.refused()} == {"not admitted"}


async def test_a_flood_of_one_member_leaves_the_others_heard(town):
    now = CLOCK.now_ms()
    plain = (Topic(str(n), "t", ALICE.public, now, now + 60_000, "") for n in range(700))
    await town.hears(ALICE, *(signed_topic(ALICE, item) for item in plain))
    assert town.presence.dropped["too much"] == 100
    await town.hears(BOB, Rumours((report(BOB),)))
    assert town.stands(BOB) == "alive"


async def test_what_is_said_to_all_is_its_authors(town):
    now = CLOCK.now_ms()
    item = signed_topic(BOB, Topic("1", "news", BOB.public, now, now + 60_000, "hello"))
    await town.hears(ALICE, item, msgspec.structs.replace(item, id="2", body="other"))
    assert [one.body for one in town.items] == ["hello"]


async def test_nonsense_is_counted(town):
    town.seq += 1
    for text in (b"{}", b"[1", b'{"t":"ping"}'):
        town.seq += 1
        letter = Letter(ME.public, "gossip", text, ttl_ms=60_000)
        envelope = seal(ALICE, letter, town.seq, CLOCK.now_ms())
        await town.post.take(Received(write(envelope), "", "test", durable=False))
    await anyio.wait_all_tasks_blocked()
    assert town.presence.dropped["malformed"] == 3


@pytest.mark.parametrize("back_ms", [60_000, 400_000])
async def test_a_life_after_the_clock_was_set_back_is_no_twin_of_the_one_before(tmp_path, back_ms):
    before = CLOCK.now_ms() + back_ms
    async with living(tmp_path) as town:
        twins = []
        town.presence.twin = lambda: twins.append(1)
        town.presence.outlive(before)
        assert town.presence.life == before + 1
        await town.hears(ALICE, Rumours((Report(ME.public, before, Standing.ALIVE),)))
        assert twins == []
        await town.hears(ALICE, Rumours((Report(ME.public, before + 2, Standing.ALIVE),)))
        assert twins == [1]


async def test_a_life_that_nobody_can_have_heard_of_is_not_outlived(town):
    life = town.presence.life
    for other in (life - 1, CLOCK.now_ms() + 3_600_000):
        town.presence.outlive(other)
        assert town.presence.life == life
