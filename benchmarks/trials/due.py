"""What of many jobs fell due while the machine slept, and when each is due next."""

import random
from collections.abc import Iterator
from datetime import date, time, timedelta

from hermes.scheduler.trigger import (
    DAY_MS,
    MINUTE_MS,
    Cron,
    Days,
    Every,
    Trigger,
    next_after,
    slots_between,
)

JOBS = 500
NOW = 1_795_000_000_000
ZONES = ("Europe/Berlin", "America/New_York", "UTC", "Australia/Lord_Howe")


def job(chance: random.Random, number: int) -> Trigger:
    """Most jobs come every so many minutes."""
    if number % 10 == 0:
        first = date(2026, 1, 1) + timedelta(days=chance.randrange(200))
        at = time(chance.randrange(24), chance.randrange(60))
        return Days(first, chance.randrange(1, 8), at, chance.choice(ZONES))
    if number % 10 == 1:
        return Cron(f"{chance.randrange(60)} {chance.randrange(24)} * * 1", chance.choice(ZONES))
    period = chance.randrange(5, 120) * MINUTE_MS
    return Every(NOW - chance.randrange(400) * DAY_MS, period)


def work(chance: random.Random) -> Iterator[str]:
    """Slots that were missed, and the next one."""
    for number in range(JOBS):
        one = job(chance, number)
        slept = chance.randrange(1, 120) * DAY_MS
        yield str(slots_between(one, NOW - slept, NOW, 3))
        yield str(next_after(one, NOW))
