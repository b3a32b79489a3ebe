"""What the elements of a time phrase mean together: one trigger, or why there is none.

The rules stand in docs/schedule.md: a day without a time means nine o'clock, a weekday the
next one whose time lies ahead, and whatever could be meant in two ways is refused.
"""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hermes.scheduler.grammar import PARTS, Clock, Day, Elements, Unclear
from hermes.scheduler.trigger import Cron, Days, Every, Once, Trigger, wall_instant

DEFAULT_TIME = time(9)
HORIZON_DAYS = 50 * 366

_PART_HOURS = {
    "morning": range(12),
    "afternoon": range(12, 21),
    "evening": range(16, 24),
    "night": range(18, 24),
}
_ELAPSED_MS = {"second": 1000, "minute": 60_000, "hour": 3_600_000}
_EVERY_MONTH_HAS = 28


def resolve(said: Elements, now_ms: int, zone: ZoneInfo) -> Trigger:
    """Make the trigger; raises Unclear."""
    now = datetime.fromtimestamp(now_ms / 1000, tz=UTC).astimezone(zone).replace(tzinfo=None)
    if said.span:
        return _after_span(said, now_ms, now, zone)
    if said.repeat or said.weekdays:
        return _repeating(said, now_ms, now, zone)
    return Once(_instant(said, now_ms, now, zone))


def _after_span(said: Elements, now_ms: int, now: datetime, zone: ZoneInfo) -> Trigger:
    if said.repeat or said.weekdays or said.day:
        raise Unclear("a span of time stands with another day or repetition")
    elapsed = sum(n * _ELAPSED_MS.get(unit, 0) for n, unit in said.span)
    days = sum(n * {"day": 1, "week": 7}.get(unit, 0) for n, unit in said.span)
    months = sum(n for n, unit in said.span if unit == "month")
    if elapsed // 86_400_000 + days + months * 31 > HORIZON_DAYS:
        raise Unclear("that is more than 50 years ahead")
    wall = datetime.combine(_add_months(now.date(), months) + timedelta(days=days), now.time())
    at = _time_of(said)
    if at is not None:
        if elapsed or not (days or months):
            raise Unclear("a time of day goes with days, weeks or months, not with hours")
        wall = datetime.combine(wall.date(), at)
    if not (days or months):
        return Once(now_ms + elapsed)
    return Once(wall_instant(wall, zone) + elapsed)


def _repeating(said: Elements, now_ms: int, now: datetime, zone: ZoneInfo) -> Trigger:
    step, unit = said.repeat or (1, "week")
    at = _time_of(said)
    if unit in _ELAPSED_MS:
        return _period(said, step * _ELAPSED_MS[unit], now_ms)
    if step < 1 or step > HORIZON_DAYS:
        raise Unclear(f"every {step} {unit}s cannot be")
    at = at or DEFAULT_TIME
    if unit == "month":
        return _monthly(said, step, at, zone)
    weekdays = said.weekdays
    if said.day is not None:
        if said.day.weekday is None or said.day.is_next or unit != "week" or weekdays:
            raise Unclear("a repetition stands with a day that it cannot have")
        weekdays = (said.day.weekday,)
    if weekdays and step == 1:
        days = ",".join(str((day + 1) % 7) for day in weekdays)
        return Cron(f"{at.minute} {at.hour} * * {days}", zone.key)
    if unit == "day" and step == 1:
        return Cron(f"{at.minute} {at.hour} * * *", zone.key)
    first = now.date()
    while wall_instant(datetime.combine(first, at), zone) <= now_ms or (
        weekdays and first.weekday() not in weekdays
    ):
        first += timedelta(days=1)
    return Days(first, step * (7 if unit == "week" else 1), at, zone.key)


def _period(said: Elements, period_ms: int, now_ms: int) -> Trigger:
    if said.weekdays or said.day or said.clock or said.part:
        raise Unclear("a period of minutes or hours cannot have a day or a time")
    if period_ms < _ELAPSED_MS["minute"]:
        raise Unclear("a job runs at most once a minute")
    if period_ms > HORIZON_DAYS * 86_400_000:
        raise Unclear("that is more than 50 years ahead")
    return Every(now_ms + period_ms, period_ms)


def _monthly(said: Elements, step: int, at: time, zone: ZoneInfo) -> Trigger:
    day = said.day or Day(day=1)
    if step != 1 or said.weekdays or day.day is None or day.month:
        raise Unclear("every month goes with a day of the month: every month on the 1st at 9")
    if not 1 <= day.day <= _EVERY_MONTH_HAS:
        raise Unclear("not every month has that day; the last one is the cron phrase 0 9 L * *")
    return Cron(f"{at.minute} {at.hour} {day.day} * *", zone.key)


def _instant(said: Elements, now_ms: int, now: datetime, zone: ZoneInfo) -> int:
    at, day = _time_of(said), said.day
    if day is not None and day.offset == 0 and at is None:
        raise Unclear("today needs a time: today at 17:30")
    if at is None and day is None:
        raise Unclear("there is no time in it")
    at = at or DEFAULT_TIME
    for candidate in _candidates(day, now.date()):
        slot = wall_instant(datetime.combine(candidate, at), zone)
        if slot > now_ms:
            return slot
    raise Unclear("that time is past")


def _candidates(day: Day | None, today: date) -> list[date]:
    """List the days that are meant, the nearest first: the first whose time is ahead counts."""
    week = [today + timedelta(days=n) for n in range(8)]
    if day is None:
        return week[:2]
    if day.offset is not None:
        return [week[day.offset]]
    if day.weekday is not None:
        return [d for d in week[int(day.is_next) :] if d.weekday() == day.weekday]
    assert day.day is not None
    years = [day.year] if day.year else range(today.year, today.year + 9)  # 29 February
    months = [day.month] if day.month else range(1, 13)
    dates = [_date_or_none(y, m, day.day) for y in years for m in months]
    found = [d for d in dates if d is not None and (d >= today or day.year)]
    if not found:
        raise Unclear("there is no such date")
    if (found[0] - today).days > HORIZON_DAYS:
        raise Unclear("that is more than 50 years ahead")
    return found


def _date_or_none(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _add_months(day: date, months: int) -> date:
    index = day.year * 12 + day.month - 1 + months
    year, month = index // 12, index % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def _time_of(said: Elements) -> time | None:
    if not said.part:
        return said.clock.at if said.clock else None
    return _in_part(said.clock, said.part) if said.clock else PARTS[said.part]


def _in_part(clock: Clock, part: str) -> time:
    hours = _PART_HOURS.get(part, range(0))
    readings = [clock.at.hour] if clock.is_exact else [clock.at.hour, clock.at.hour + 12]
    fitting = [hour for hour in readings if hour in hours]
    if len(fitting) != 1:
        raise Unclear(f"{clock.at:%H:%M} is not in the {part}")
    return clock.at.replace(hour=fitting[0])
