from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.scheduler.due import GRACE_MS, RECORDED, plan_due
from hermes.scheduler.trigger import (
    Cron,
    Days,
    Every,
    Once,
    decode_trigger,
    encode_trigger,
    next_after,
    slots_between,
    wall_instant,
)

BERLIN = ZoneInfo("Europe/Berlin")
# Zones with a change of an hour, half an hour, at midnight, a day left out, and none.
ZONES = ("Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia", "UTC")


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def utc(instant: int | None) -> str:
    assert instant is not None
    return f"{datetime.fromtimestamp(instant / 1000, tz=UTC):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("fields", "after", "slots"),
    [
        # Spring: 02:00 to 03:00 does not exist on 2027-03-28. Nine stays nine.
        ("0 9 * * *", "2027-03-27T09:00+01:00", ["2027-03-28 07:00", "2027-03-29 07:00"]),
        ("30 2 * * *", "2027-03-27T12:00+01:00", ["2027-03-28 01:00", "2027-03-29 00:30"]),
        ("0 * * * *", "2027-03-28T01:30+01:00", ["2027-03-28 01:00", "2027-03-28 02:00"]),
        # Autumn: 02:00 to 03:00 comes twice on 2027-10-31; a daily job runs once, hourly twice.
        ("30 2 * * *", "2027-10-31T01:00+02:00", ["2027-10-31 00:30", "2027-11-01 01:30"]),
        ("30 2 * * *", "2027-10-31T02:10+01:00", ["2027-11-01 01:30"]),
        ("0 * * * *", "2027-10-31T01:30+02:00", ["2027-10-31 00:00", "2027-10-31 01:00"]),
        ("0 9 * * *", "2027-10-30T09:00+02:00", ["2027-10-31 08:00"]),
    ],
)
def test_cron_at_changes_of_the_clock(fields, after, slots):
    now = ms(after)
    for slot in slots:
        now = next_after(Cron(fields, "Europe/Berlin"), now)
        assert utc(now) == slot


def test_calendar_days_keep_their_wall_clock_time():
    trigger = Days(date(2027, 3, 26), 2, time(9), "Europe/Berlin")
    assert utc(next_after(trigger, ms("2027-03-01T00:00Z"))) == "2027-03-26 08:00"
    assert utc(next_after(trigger, ms("2027-03-26T08:00Z"))) == "2027-03-28 07:00"
    assert utc(next_after(trigger, ms("2027-03-28T07:00Z"))) == "2027-03-30 07:00"


def test_a_period_is_of_elapsed_time():
    trigger = Every(ms("2027-03-28T00:30Z"), 3_600_000)
    assert utc(next_after(trigger, ms("2027-03-28T00:30Z"))) == "2027-03-28 01:30"
    assert utc(next_after(trigger, 0)) == "2027-03-28 00:30"


@pytest.mark.parametrize(
    ("wall", "resolved"),
    [
        ("2027-03-28T02:30", "2027-03-28 01:00"),  # in the gap: the first minute after it
        ("2027-10-31T02:30", "2027-10-31 00:30"),  # doubled: the first
        ("2027-07-01T12:00", "2027-07-01 10:00"),
    ],
)
def test_wall_clock_times_that_do_not_exist_or_come_twice(wall, resolved):
    assert utc(wall_instant(datetime.fromisoformat(wall), BERLIN)) == resolved


def test_once_comes_once():
    assert next_after(Once(1000), 999) == 1000
    assert next_after(Once(1000), 1000) is None


instants = st.integers(ms("2000-01-01T00:00Z"), ms("2040-01-01T00:00Z"))
zones = st.sampled_from(ZONES)
minute, hour = st.integers(0, 59).map(str), st.integers(0, 23).map(str)
fields = st.tuples(
    st.sampled_from(["*", "*/7", "0,30"]) | minute,
    st.sampled_from(["*", "*/5", "1-3", "0,2"]) | hour,
    st.sampled_from(["*", "1", "31", "L", "*/2"]),
    st.sampled_from(["*", "3", "10,11"]),
    st.sampled_from(["*", "0", "1-5", "5L", "MON#1"]),
).map(" ".join)
triggers = st.one_of(
    st.builds(Once, instants),
    st.builds(Every, instants, st.integers(60_000, 10**9)),
    st.builds(
        Days,
        st.dates(date(2000, 1, 1), date(2040, 1, 1)),
        st.integers(1, 40),
        st.times().map(lambda t: t.replace(second=0, microsecond=0)),
        zones,
    ),
    st.builds(Cron, fields, zones),
)


@settings(max_examples=300)
@given(triggers, instants, instants)
def test_the_next_slot_lies_ahead_and_never_runs_backwards(trigger, one, other):
    earlier, later = sorted((one, other))
    first, second = next_after(trigger, earlier), next_after(trigger, later)
    assert first is None or first > earlier
    assert second is None or (first is not None and second > later and first <= second)
    if first is not None and first > later:
        assert second == first


@settings(max_examples=100)
@given(triggers, st.sampled_from(["2027-03-28T01:00Z", "2027-10-31T01:00Z", "2027-04-03T15:00Z"]))
def test_slots_rise_through_a_change_of_the_clock(trigger, change):
    now = ms(change) - 4 * 3_600_000
    for _ in range(20):
        slot = next_after(trigger, now)
        if slot is None:
            break
        assert slot > now
        now = slot


@given(triggers)
def test_a_trigger_survives_the_ledger(trigger):
    assert decode_trigger(encode_trigger(trigger)) == trigger


@given(
    st.integers(60_000, 10**8),
    st.integers(0, 10**9),
    st.integers(0, 150),
)
def test_slots_between_are_all_kept_or_counted(period, span, limit):
    slots = slots_between(Every(period, period), 0, span, limit)
    assert len(slots.kept) + slots.collapsed == span // period
    assert len(slots.kept) == min(limit, span // period)
    assert all(0 < slot <= span for slot in slots.kept)


@given(triggers, instants, st.integers(0, 10 * 86_400_000))
def test_a_plan_gives_every_slot_one_fate(trigger, start, late):
    due = next_after(trigger, start)
    if due is None:
        return
    now = due + late
    plan = plan_due(trigger, due, now)
    missed = [slot for slot, _ in plan.missed]
    fates = missed + ([] if plan.run is None else [plan.run])
    assert len(set(fates)) == len(fates)
    assert due in fates
    assert all(due <= slot <= now for slot in fates)
    assert plan.next_due is None or plan.next_due > now
    assert plan.run is None or now - plan.run <= GRACE_MS
    assert len(fates) <= RECORDED + 1
    if len(fates) <= RECORDED:
        again = next_after(trigger, due)
        assert (again is not None and again <= now) == (len(fates) > 1)


def test_more_than_two_years_are_not_counted():
    trigger = Every(0, 86_400_000)
    plan = plan_due(trigger, 0, 3 * 365 * 86_400_000)
    assert "in the last two years" in plan.missed[0][1]
    assert plan.missed[0][0] == 0


def test_the_grace_ends_after_its_last_moment():
    assert plan_due(Once(0), 0, GRACE_MS).run == 0
    late = plan_due(Once(0), 0, GRACE_MS + 1)
    assert (late.run, late.missed, late.next_due) == (None, ((0, late.missed[0][1]),), None)
