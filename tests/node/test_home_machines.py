"""What a node remembers of homes: kept while anybody may ask for it, then let go of as a whole."""

import pytest

from hermes.mesh import intents, routing
from hermes.mesh import lease_values as leasing
from hermes.node.home_machines import Machines
from hermes.store.store import Store

DAY = 24 * 3_600_000
ME, HER = "a" * 64, "b" * 64


class Calendar:
    def __init__(self):
        self.now = 1_760_000_000_000

    def now_ms(self):
        return self.now


@pytest.fixture
def calendar():
    return Calendar()


@pytest.fixture
async def book(tmp_path, calendar):
    async with Store.open(tmp_path / "hermes.db", calendar) as store:
        yield store.homes


@pytest.fixture
async def machines(book, calendar):
    made = Machines(ME, 6_000, book, calendar)
    await made.restore(())
    made.step(leasing.Fleet((ME, HER), (ME, HER)))
    made.step(intents.Fleet((ME, HER), (ME, HER)))
    return made


async def hears(machines, message, kind=leasing):
    for action in machines.step(kind.Heard(HER, message)):
        if isinstance(action, leasing.Store):
            await machines.promise(action.promise)
        elif isinstance(action, intents.Store):
            await machines.note(action.conversation, action.book, mine=False)
        elif isinstance(action, leasing.Known):
            machines.settle(action.key, action.fence, action.until)
            for event, _ in machines.steps():
                assert isinstance(event, routing.Settled)


async def begun(machines, talk, turn, epoch=1, *, claimed=True):
    """Her turn in a conversation of hers, as this node hears of it."""
    if claimed:
        await hears(machines, leasing.Claim(talk, epoch, 1, 6_000))
    await hears(machines, intents.Note(talk, epoch, turn), intents)


def noted(machines):
    return {name: set(one.ids) for name, one in machines._intents.books.items()}


async def test_after_a_month_what_nobody_touched_is_gone_here_and_on_disk(machines, book, calendar):
    await begun(machines, "old", "x")
    await begun(machines, "open", "y")
    await begun(machines, "unheard", "z", claimed=False)
    calendar.now += 20 * DAY
    await begun(machines, "used", "w")
    await machines.clear(())
    assert noted(machines).keys() == {"old", "open", "unheard", "used"}
    calendar.now += 12 * DAY
    await begun(machines, "used", "v")
    await machines.clear({"open"})
    assert noted(machines) == {"open": {"y"}, "unheard": {"z"}, "used": {"w", "v"}}
    assert machines.leases.promises.keys() == {"open", "unheard", "used"}
    assert {one.key for one in await book.promises()} == {"open", "unheard", "used"}
    assert (await book.intents()).keys() == {"open", "unheard", "used"}
    assert machines._routes.homes.keys() == {"used"}  # of the others it is long over
    calendar.now += 32 * DAY
    await machines.clear(())
    assert noted(machines) == {}
    assert (await book.intents(), await book.promises()) == ({}, ())


async def test_a_start_lets_go_of_it_too_but_not_of_what_is_open(machines, book, calendar):
    await begun(machines, "old", "x")
    await begun(machines, "open", "y")
    calendar.now += 32 * DAY
    again = Machines(ME, 6_000, book, calendar)
    await again.restore({"open"})
    assert noted(again) == {"open": {"y"}}
    assert again.leases.promises.keys() == {"open"}
    assert again.leases.promises["open"].until > calendar.now


async def test_what_is_held_or_asked_just_now_stays(machines, calendar):
    machines.step(leasing.Want("mine", ME))
    machines.step(intents.Began("asked", 1))
    calendar.now += 32 * DAY
    await machines.clear(())
    assert "mine" in machines.leases.tenures
    assert {"mine"} <= machines.leases.promises.keys()
    assert "asked" in noted(machines)


async def test_who_forgot_is_told_by_who_remembers(machines, calendar):
    """A home that begins anew at epoch 1 hears of the old one, and goes above it."""
    await begun(machines, "talk", "x", epoch=7)
    (deny,) = machines.step(leasing.Heard(HER, leasing.Claim("talk", 1, 1, 6_000)))
    assert deny.message.epoch == 7
    assert machines.step(intents.Heard(HER, intents.Recall("talk", 1))) == ()
    calendar.now += 32 * DAY
    await machines.clear(())
    granted = machines.step(leasing.Heard(HER, leasing.Claim("talk", 1, 1, 6_000)))
    assert any(isinstance(getattr(one, "message", None), leasing.Grant) for one in granted)
    *_, recalled = machines.step(intents.Heard(HER, intents.Recall("talk", 1)))
    assert recalled.message == intents.Recalled("talk", 1)
