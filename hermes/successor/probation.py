"""Probation: whether a new version does as well as the one before it. Pure.

Errors and times of turns are held against those of before; crashes are counted where they can be
seen even when nothing opens any more (`pointer`). Small numbers decide nothing but a crash loop.
"""

from typing import Literal

import msgspec

from hermes.config import Successor
from hermes.store.health import Stretch
from hermes.successor.pointer import CRASHES

BEFORE = 50
"""Turns of the version before that are looked at."""
_FAILED_LEAST = 3
_TIMED_LEAST = 5
_SLACK_MS = 1_000
_HOUR_MS = 3_600_000


class Watched(msgspec.Struct, frozen=True):
    """What is known of a version on probation: its turns, those before, crashes, its age."""

    now: Stretch
    before: Stretch
    crashes: int
    age_ms: int


class Finding(msgspec.Struct, frozen=True):
    """`stay` on probation, `keep` the version, or `leave` it; `why` in words."""

    word: Literal["stay", "keep", "leave"]
    why: str = ""


def judge(seen: Watched, terms: Successor) -> Finding:
    """The word on a version, by what is known now."""
    if why := _fault(seen):
        return Finding("leave", why)
    if seen.now.turns >= terms.probation_turns:
        return Finding("keep", f"{seen.now.turns} turns, {seen.now.failed} of them failed")
    if seen.age_ms >= terms.probation_hours * _HOUR_MS:
        return Finding("keep", f"{terms.probation_hours:g} hours without a fault")
    return Finding("stay", f"{seen.now.turns} of {terms.probation_turns} turns")


def _fault(seen: Watched) -> str:
    now, before = seen.now, seen.before
    if seen.crashes >= CRASHES:
        return f"{seen.crashes} starts in a row ended badly"
    # Twice the share of before, and a fifth of all on top: 3 of 8 after 0 of 50.
    if now.failed >= _FAILED_LEAST and _share(now) > 2 * _share(before) + 200:
        return (
            f"{now.failed} of {now.turns} turns failed, before it {before.failed} of {before.turns}"
        )
    timed = min(now.turns - now.failed, before.turns - before.failed)
    if timed >= _TIMED_LEAST and now.median_ms > 2 * before.median_ms + _SLACK_MS:
        return f"a turn takes {now.median_ms} ms, before it {before.median_ms} ms"
    return ""


def _share(stretch: Stretch) -> int:
    """Failed turns, in thousandths."""
    return 1000 * stretch.failed // max(1, stretch.turns)
