"""When a job is due: four frozen triggers and the one pure question, what comes next.

Wall-clock triggers keep the IANA zone they were said in and are resolved anew each time, so
that nine o'clock stays nine o'clock when the offset changes; instants are ms UTC.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from typing import assert_never
from zoneinfo import ZoneInfo

import msgspec
from cronsim import CronSim

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
_WALK_MS = 730 * DAY_MS
_LAST_YEAR = 2400  # far below 9999, where datetime overflows


class Once(msgspec.Struct, frozen=True, tag="once"):
    """One instant."""

    at_ms: int


class Every(msgspec.Struct, frozen=True, tag="every"):
    """A fixed period of elapsed time, from its first slot on."""

    first_ms: int
    period_ms: int


class Days(msgspec.Struct, frozen=True, tag="days"):
    """Every so many calendar days at a wall-clock time, from its first date on."""

    first: date
    step: int
    at: time
    zone: str


class Cron(msgspec.Struct, frozen=True, tag="cron"):
    """Five cron fields on the wall clock of a zone; at changes of the clock as Debian's cron."""

    fields: str
    zone: str


Trigger = Once | Every | Days | Cron


@dataclass(frozen=True)
class Slots:
    """Slots that lie in a span: the newest one by one, the others as a count."""

    kept: tuple[int, ...]
    collapsed: int
    counted_from_ms: int


def encode_trigger(trigger: Trigger) -> str:
    """Write a trigger as JSON text, for the ledger."""
    return msgspec.json.encode(trigger).decode()


def decode_trigger(text: str) -> Trigger:
    """Read a trigger back; raises msgspec.DecodeError."""
    trigger: Trigger = msgspec.json.decode(text, type=Trigger)
    return trigger


def next_after(trigger: Trigger, now_ms: int) -> int | None:
    """Say the first slot strictly after `now_ms`; None when there is none any more.

    The first use of a zone reads its file: call it from a worker thread.
    """
    return next(slots_after(trigger, now_ms), None)


def slots_after(trigger: Trigger, now_ms: int) -> Iterator[int]:
    """Yield the slots after `now_ms`, strictly increasing."""
    match trigger:
        case Once(at_ms=at_ms):
            if at_ms > now_ms:
                yield at_ms
        case Every(first_ms=first_ms, period_ms=period_ms):
            index = max(0, (now_ms - first_ms) // period_ms + 1)
            while True:
                yield first_ms + index * period_ms
                index += 1
        case Days():
            yield from _days(trigger, now_ms)
        case Cron():
            yield from _cron(trigger, now_ms)
        case _:
            assert_never(trigger)


def slots_between(trigger: Trigger, after_ms: int, until_ms: int, limit: int) -> Slots:
    """Find the slots in (after, until]: the newest `limit` one by one, the others counted.

    Walks at most two years back (four seconds for a job of every minute, measured); what lies
    before that is not counted, and `counted_from_ms` says so.
    """
    start = max(after_ms, until_ms - _WALK_MS)
    kept: deque[int] = deque(maxlen=limit)
    count = 0
    for slot in takewhile(lambda slot: slot <= until_ms, slots_after(trigger, start)):
        kept.append(slot)
        count += 1
    return Slots(tuple(kept), count - len(kept), start)


def wall_instant(wall: datetime, zone: ZoneInfo) -> int:
    """Resolve a naive wall-clock time: in a gap the first minute after it, doubled the first."""
    moment = wall
    while True:
        aware = moment.replace(tzinfo=zone, fold=0)
        if aware.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == moment:
            return round(aware.timestamp() * 1000)
        moment += timedelta(minutes=1)


def _local(ms: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(ms / 1000, tz=UTC).astimezone(zone)


def _days(trigger: Days, now_ms: int) -> Iterator[int]:
    zone = ZoneInfo(trigger.zone)
    passed = (_local(now_ms, zone).date() - trigger.first).days // trigger.step
    day = trigger.first + timedelta(days=max(0, passed) * trigger.step)
    while day.year < _LAST_YEAR:
        slot = wall_instant(datetime.combine(day, trigger.at), zone)
        if slot > now_ms:
            yield slot
        day += timedelta(days=trigger.step)


def _cron(trigger: Cron, now_ms: int) -> Iterator[int]:
    last = now_ms
    for moment in CronSim(trigger.fields, _local(now_ms, ZoneInfo(trigger.zone))):
        slot = round(moment.timestamp() * 1000)
        if slot > last:  # a doubled hour gives its first reading again
            last = slot
            yield slot
