"""Lines that fall silent, die and come back: what notices it, and what is done at once."""

from contextlib import asynccontextmanager

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.identity.hot import HotKey
from hermes.mesh import detector, outbox
from hermes.mesh.best_link import by_best
from hermes.mesh.detector_values import Back, Detector, Pace, Send
from hermes.mesh.envelope import Letter, seal
from hermes.mesh.event import Filter
from hermes.mesh.gossip_wire import Ping
from hermes.mesh.health import FIRST_MS, Health
from hermes.mesh.link import Delivery
from hermes.mesh.members import Member, Members, Standing, changed
from hermes.mesh.nostr_adapter import Wire
from hermes.testing.relays import switchboard

NOW = 1_760_000_000_000


class Sleeper:
    """Relays' lines: all that are open fall asleep for ever at a word, later ones live."""

    def __init__(self):
        self.asleep = False
        self.lines = 0

    def connect(self, _hang_up):
        self.lines += 1
        mine = []

        def meddle(_way, frame):
            if self.asleep:
                mine.append("asleep")
            return [] if mine else [frame]

        return meddle


@asynccontextmanager
async def before(relay, sleeper):
    async with switchboard(relay, sleeper.connect) as url:
        yield url


async def test_the_first_ok_is_enough_and_who_is_silent_is_told_of_alone(wire, bob, relay, clock):
    sleeper = Sleeper()
    async with before(relay, sleeper) as url:
        await wire.connect([url, relay])
        sleeper.asleep = True
        made = bob.sign(1, "hey", (), clock.now_ms() // 1000)
        found = await wire.publish(made, first=True)
        assert found == {relay: ""}
        assert set(await wire.publish(made)) == {url, relay}


async def test_what_another_relay_took_does_not_pile_up_before_a_silent_one(
    wire, bob, relay, clock
):
    sleeper = Sleeper()
    async with before(relay, sleeper) as url:
        await wire.connect([url, relay])
        sleeper.asleep = True
        for number in range(400):
            made = bob.sign(1, f"n{number}", (), clock.now_ms() // 1000)
            assert (await wire.publish(made, first=True))[relay] == ""
            assert wire._stations[url].mouth._places.statistics().tasks_waiting <= 256


@pytest.mark.slow
async def test_a_dead_line_is_made_anew_and_its_relay_trusted_again(relay, alice, bob, clock):
    sleeper, opened = Sleeper(), []
    async with before(relay, sleeper) as url, Wire(alice, clock) as wire, Wire(bob, clock) as other:
        await wire.connect([url])
        await other.connect([relay])
        wish = Filter(kinds=(1,), authors=(bob.public,), limit=0)
        async with wire.subscribe(wish) as ear:
            ear.opened.append(opened.append)
            heard = aiter(ear)
            first, second = (
                bob.sign(1, text, (), clock.now_ms() // 1000) for text in ("one", "two")
            )
            with anyio.fail_after(30):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_publish_until_known, other, first, opened)
                    assert (await anext(heard)).event == first
                sleeper.asleep = True
                mine = alice.sign(1, "into the dark", (), clock.now_ms() // 1000)
                assert (await wire.publish(mine))[url]
                assert wire.health(url).failures == 1
                sleeper.asleep = False
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_publish_until_known, other, second, opened, 2)
                    assert (await anext(heard)).event == second
            assert wire.health(url).usable(clock.now_ms())
            assert (await wire.publish(mine))[url] == ""


async def _publish_until_known(wire, event, opened, times=1):
    while len(opened) < times:  # noqa: ASYNC110 - a list that a callback fills
        await anyio.sleep(0.01)
    await wire.publish(event)


@given(st.integers(1, 20), st.integers(0, 8))
def test_what_one_line_took_with_it_is_one_failure(together, before):
    health = Health()
    now = NOW
    for _ in range(before):
        health = health.failed(now, "gone")
        now = health.wait_until
    alone = health.failed(now, "gone")
    for _ in range(together):
        health = health.failed(now, "gone")
    assert health == alone
    assert health.wait_until - now == FIRST_MS << before or before > 8
    assert health.back().usable(now)
    assert health.back().failed(now, "again").wait_until == now + FIRST_MS


class Way:
    """A link that takes what it gets, fails, or never says."""

    def __init__(self, name, says, quality=0.5):
        self.name, self.says, self.best = name, says, quality
        self.got = []

    def quality(self):
        return self.best

    async def send(self, to, _data, *, expires_at, durable):
        self.got.append((to, expires_at, durable))
        if self.says is None:
            await anyio.sleep_forever()
        return Delivery(taken=self.says, reason="" if self.says else f"{self.name} does not work")


@pytest.mark.parametrize(
    ("says", "went", "taken"),
    [
        ([True, True], [1, 0], True),
        ([False, True], [1, 1], True),
        ([None, True], [1, 1], True),
        ([None, False, True], [1, 1, 1], True),
        ([False, False], [1, 1], False),
        ([], [], False),
    ],
    ids=["best", "fails", "silent", "silent and fails", "none", "no link"],
)
async def test_what_is_live_goes_on_to_the_next_link(says, went, taken):
    key, to = HotKey(bytes([1]) * 32), HotKey(bytes([2]) * 32).public
    ways = [Way(str(n), one, 1 - n / 10) for n, one in enumerate(says)]
    ways.append(Way("broken", says=True, quality=0.0))
    envelope = seal(key, Letter(to, "turn", b"{}", "c"), 1, NOW)
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            found = await by_best(reversed(ways), envelope, tasks, durable=False)
            tasks.cancel_scope.cancel()
    assert found.taken is taken
    assert [len(way.got) for way in ways] == [*went, 0]


def test_whose_line_is_back_asks_whom_it_did_not_hear():
    standings = {"a": Standing.ALIVE, "s": Standing.SUSPECT, "d": Standing.DEAD}
    known = {name: Member(NOW, how, NOW) for name, how in standings.items()}
    state = Detector("me", NOW, 7, members=changed(Members(), known), strain=5, missed=(3,))
    state, actions = detector.step(state, NOW, Back())
    assert {one.to for one in actions} == {"s", "d"}
    assert all(isinstance(one, Send) and isinstance(one.message, Ping) for one in actions)
    assert {one.message.standing for one in actions} == {Standing.SUSPECT, Standing.DEAD}
    assert (state.strain, state.missed) == (0, ())


def test_whose_line_is_back_asks_some_of_many():
    known = {f"n{n}": Member(NOW, Standing.DEAD, NOW) for n in range(1_000)}
    state = Detector("me", NOW, 7, members=changed(Members(), known))
    _, actions = detector.step(state, NOW, Back())
    assert len({one.to for one in actions}) == len(actions) == Pace().most_back


def test_when_a_line_is_back_what_waits_goes_at_once_and_in_order():
    state = outbox.Outbox(links={"relay": 0.5})
    for name, lane in (("x", ""), ("y", "l"), ("z", "l")):
        state, _ = outbox.step(state, 0, outbox.Put(outbox.Letter(name, "b", 10**6, lane)))
    state, none = outbox.step(state, 10, outbox.Tick())
    assert none == ()
    _, sent = outbox.step(state, 10, outbox.Reached())
    assert [one.letter.id for one in sent] == ["x", "y"]
