"""How long something holds that was said with an end: "until Friday", "for this week".

Days end at midnight UTC: a memory that is a few hours too old does less harm than none. What
ends with something that has no date is kept for a month.
"""

import re
from datetime import UTC, datetime, timedelta

_DAYS = (
    "monday montag lundi lunes", "tuesday dienstag mardi martes",
    "wednesday mittwoch mercredi miercoles miércoles", "thursday donnerstag jeudi jueves",
    "friday freitag vendredi viernes", "saturday samstag samedi sabado sábado",
    "sunday sonntag dimanche domingo",
)  # fmt: skip
_WEEKDAY = {word: number for number, day in enumerate(_DAYS) for word in day.split()}
_MONTHS = "january february march april may june july august september october november december"
_MONTH = {word[:3]: number for number, word in enumerate(_MONTHS.split(), 1)}
_UNTIL = re.compile(
    r"(?i)\b(?:until|till|through(?= \d| the end)|bis(?: zum| zur)?|jusqu'(?:[àa]u?|en)|"
    r"hasta)\s+(?P<end>[\w' -]{2,40})"
)
_ISO = re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b")
_NAMED = re.compile(
    r"(?i)\b(?:(\d{1,2})(?:st|nd|rd|th|\.)? (?:of )?)?([a-z]{3,9})\.?(?: (\d{1,2})(?:st|nd|rd|"
    r"th)?\b)?"
)
_SPAN = re.compile(
    r"(?i)\bfor (?:the next |the coming )?(?P<n>\d+|one|two|three|four|a) (?P<unit>day|week|"
    r"month)s?\b|"
    r"\b(?:for |f[üu]r )?(?P<this>this|diese|cette|esta) (?P<week>week|woche|semaine|semana|"
    r"month|monat|mois|mes)\b|"
    r"\b(?:for |only )?(?P<today>today|heute|aujourd'hui|hoy)\b"
)
_NUMBERS = {"a": 1, "one": 1, "two": 2, "three": 3, "four": 4}
_NEAR = {"today": 0, "tonight": 0, "heute": 0, "hoy": 0, "tomorrow": 1, "morgen": 1, "demain": 1,
         "mañana": 1}  # fmt: skip
_LENGTH = {"day": 1, "week": 7, "month": 30}
_UNKNOWN = timedelta(days=30)
_SUNDAY, _DECEMBER = 6, 12


def ends_at(text: str, said_ms: int) -> int | None:
    """When what was said at `said_ms` is over, in ms; None: it has no end."""
    said = datetime.fromtimestamp(said_ms / 1000, tz=UTC)
    if match := _UNTIL.search(text):
        return _ms(_until(text[match.start("end") :], match["end"].casefold(), said))
    if match := _SPAN.search(text):
        return _ms(_span(match, said))
    return None


def _until(rest: str, end: str, said: datetime) -> datetime:
    if iso := _ISO.match(rest):
        return _date(*map(int, iso.groups())) or said + _UNKNOWN
    words = re.findall(r"\w+", end)
    soon = "next" in words[:1]
    for word in words[:3]:
        if word in _WEEKDAY:
            ahead = (_WEEKDAY[word] - said.weekday()) % 7
            return said + timedelta(days=ahead + 7 * (soon and ahead == 0))
    first = words[0] if words else ""
    if first in _NEAR:
        return said + timedelta(days=_NEAR[first])
    return _period(frozenset(words), said, soon=soon) or _named(end, said) or said + _UNKNOWN


def _period(words: frozenset[str], said: datetime, *, soon: bool) -> datetime | None:
    """The end of the week, month or year that is meant."""
    if words & {"month", "monat", "monats", "mois", "mes"}:
        return _month_end(said, next_one=soon)
    if words & {"week", "woche", "semaine", "semana"}:
        return said + timedelta(days=_SUNDAY - said.weekday() + 7 * soon)
    if words & {"year", "jahr", "jahres", "année", "año"}:
        return datetime(said.year, _DECEMBER, 31, tzinfo=UTC)
    return None


def _named(end: str, said: datetime) -> datetime | None:
    match = _NAMED.match(end)
    month = _MONTH.get(match[2][:3].casefold()) if match else None
    if match is None or month is None:
        return None
    day = int(match[1] or match[3] or 0)
    year = said.year + (month < said.month)
    if not day:
        return _month_end(datetime(year, month, 1, tzinfo=UTC), next_one=False)
    return _date(year, month, day)


def _span(match: re.Match[str], said: datetime) -> datetime:
    if match["today"]:
        return said
    if match["week"]:
        if match["week"].casefold()[:2] == "mo" or match["week"].casefold() == "mes":
            return _month_end(said, next_one=False)
        return said + timedelta(days=_SUNDAY - said.weekday())
    number = match["n"].casefold()
    count = _NUMBERS.get(number) or min(int(number), 400)
    return said + timedelta(days=count * _LENGTH[match["unit"].casefold()])


def _month_end(day: datetime, *, next_one: bool) -> datetime:
    months = day.year * 12 + day.month - 1 + (2 if next_one else 1)
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC) - timedelta(days=1)


def _date(year: int, month: int, day: int) -> datetime | None:
    try:
        return datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        return None


def _ms(day: datetime) -> int:
    end = day.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return round(end.timestamp() * 1000)
