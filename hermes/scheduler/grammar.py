"""The grammar of time phrases: canonical words into the elements that a phrase may have.

Elements stand in any order, each kind at most once. Nothing is guessed: the first word that
fits nowhere is named. What the elements mean together is the business of `resolve`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import time

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
OFFSETS = {"today": 0, "tomorrow": 1, "overmorrow": 2}
PARTS = {
    "morning": time(9),
    "noon": time(12),
    "afternoon": time(15),
    "evening": time(19),
    "night": time(21),
    "midnight": time(0),
}
"""Parts of the day, and the time that each means alone."""

_SHORT = {"s": "second", "sec": "second", "m": "minute", "min": "minute", "h": "hour", "d": "day"}
_UNIT = "(?:second|minute|hour|day|week|month|sec|min|s|m|h|d)"
_AMOUNT = rf"\d{{1,5}} ?{_UNIT}"
_SPAN = rf"{_AMOUNT}(?:(?: and)? {_AMOUNT})*"
_WEEKDAY = f"(?:{'|'.join(WEEKDAYS)})"
_MONTH = f"(?:{'|'.join(MONTHS)})"
_ON = "(?:on )?(?:the )?"
_NTH = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"


class Unclear(Exception):
    """A place that cannot be read; `at` tells which reading of a phrase came furthest."""

    def __init__(self, reason: str, at: int = 0) -> None:
        super().__init__(reason)
        self.at = at


@dataclass(frozen=True)
class Day:
    """One calendar day, as far as it was said: by offset, by weekday or by date."""

    offset: int | None = None
    weekday: int | None = None
    is_next: bool = False
    day: int | None = None
    month: int | None = None
    year: int | None = None


@dataclass(frozen=True)
class Clock:
    """A time of day; `is_exact` when a part of the day cannot change it (am, pm)."""

    at: time
    is_exact: bool = False


@dataclass(frozen=True)
class Elements:
    """What a phrase said; None or empty where it said nothing."""

    span: tuple[tuple[int, str], ...] = ()
    repeat: tuple[int, str] | None = None
    weekdays: tuple[int, ...] = ()
    day: Day | None = None
    clock: Clock | None = None
    part: str = ""


def read_elements(phrase: str) -> Elements:
    """Read a phrase of canonical words; raises Unclear."""
    found = Elements()
    at = 0
    while at < len(phrase):
        matches = [(pattern.match(phrase, at), take) for pattern, take in _READINGS]
        match, take = max(matches, key=lambda pair: pair[0].end() if pair[0] else -1)
        if match is None:
            raise Unclear("not understood", at)
        found = _joined(found, take(match), at)
        at = match.end() + 1
    return found


def _joined(found: Elements, said: Elements, at: int) -> Elements:
    names = [field.name for field in fields(Elements)]
    for name in names:
        if getattr(found, name) and getattr(said, name):
            raise Unclear(f"one {name} too many", at)
    return Elements(*(getattr(said, name) or getattr(found, name) for name in names))


def _span(match: re.Match[str]) -> Elements:
    return Elements(span=tuple(_amounts(match["span"])))


def _every_amount(match: re.Match[str]) -> Elements:
    text = match["amount"]
    return Elements(repeat=_amounts(text if text[0].isdigit() else f"1 {text}")[0])


def _every_weekday(match: re.Match[str]) -> Elements:
    if match["days"] == "weekday":
        return Elements(weekdays=(0, 1, 2, 3, 4))
    days = {WEEKDAYS.index(day) for day in re.findall(_WEEKDAY, match["days"])}
    return Elements(weekdays=tuple(sorted(days)))


def _every_part(_match: re.Match[str]) -> Elements:
    return Elements(repeat=(1, "day"))


def _part(match: re.Match[str]) -> Elements:
    return Elements(part=match["part"])


def _offset(match: re.Match[str]) -> Elements:
    return Elements(day=Day(offset=OFFSETS[match["offset"]]))


def _weekday(match: re.Match[str]) -> Elements:
    is_next = bool(match["before"] or match["after"])
    return Elements(day=Day(weekday=WEEKDAYS.index(match["weekday"]), is_next=is_next))


def _date(match: re.Match[str]) -> Elements:
    said = match.groupdict()
    month, year = said.get("month"), said.get("year")
    number = None
    if month:
        number = int(month) if month.isdigit() else MONTHS.index(month) + 1
    return Elements(day=Day(day=int(said["day"]), month=number, year=int(year) if year else None))


def _clock(match: re.Match[str]) -> Elements:
    said = match.groupdict()
    hour, minute, half = int(said["hour"]), int(said.get("minute") or 0), said.get("half")
    if half and hour not in range(1, 13):
        raise Unclear("no time of day", match.start())
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    try:
        return Elements(clock=Clock(time(hour, minute), is_exact=half is not None))
    except ValueError:
        raise Unclear("no time of day", match.start()) from None


def _amounts(text: str) -> list[tuple[int, str]]:
    pairs = re.findall(rf"(\d+) ?({_UNIT})", text, re.ASCII)
    return [(int(number), _SHORT.get(unit, unit)) for number, unit in pairs]


_Take = Callable[[re.Match[str]], Elements]
_PATTERNS: tuple[tuple[str, _Take], ...] = (
    (rf"in (?P<span>{_SPAN})", _span),
    (rf"(?P<span>{_SPAN}) from now", _span),
    (rf"(?:on )?every (?P<amount>{_AMOUNT}|{_UNIT})", _every_amount),
    (
        rf"(?:on )?every (?P<days>weekday|{_WEEKDAY}(?: (?:and )?(?:on )?(?:every )?{_WEEKDAY})*)",
        _every_weekday,
    ),
    (rf"every(?= (?:{'|'.join(PARTS)})\b)", _every_part),
    (rf"(?:at |on )?(?P<part>{'|'.join(PARTS)})", _part),
    (rf"(?:on )?(?P<offset>{'|'.join(OFFSETS)})", _offset),
    (
        rf"(?:on )?(?:this )?(?P<before>next )?(?P<weekday>{_WEEKDAY})(?P<after> next)?",
        _weekday,
    ),
    (rf"{_ON}(?P<year>\d{{4}})-(?P<month>\d{{2}})-(?P<day>\d{{2}})", _date),
    (rf"{_ON}(?P<day>\d{{1,2}})\.(?P<month>\d{{1,2}})\.(?P<year>\d{{4}})", _date),
    (rf"{_ON}{_NTH}(?: of)? (?P<month>{_MONTH})(?: (?P<year>\d{{4}}))?", _date),
    (rf"{_ON}(?P<month>{_MONTH}) (?:the )?{_NTH}(?: (?P<year>\d{{4}}))?", _date),
    (rf"on (?:the )?{_NTH}", _date),
    (r"(?:at )?(?P<hour>\d{1,2})(?:[:.h](?P<minute>\d{2}))? ?(?P<half>am|pm)", _clock),
    (r"(?:at )?(?P<hour>\d{1,2})[:h](?P<minute>\d{2})(?: ?h)?", _clock),
    (r"at (?P<hour>\d{1,2})\.(?P<minute>\d{2})(?: ?h)?", _clock),
    (r"(?:at )?(?P<hour>\d{1,2}) ?h(?: ?(?P<minute>\d{2}))?", _clock),
    (r"at (?P<hour>\d{1,2})(?: hour)?", _clock),
)
_READINGS = tuple((re.compile(rf"{text}(?= |\Z)", re.ASCII), take) for text, take in _PATTERNS)
