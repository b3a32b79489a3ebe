"""The door for `when`: cron fields, @daily, RFC 3339 and plain phrases into a trigger.

The grammar is our own, since no library refuses what it does not know (measured 2026-11):
dateparser 1.5 (8 MB, 50 ms to import, 0.9 s for its first unknown phrase) reads "on friday
at 8" as an 8 August past and "tomorrow at 9" as tomorrow at this minute; parsedatetime 2.6
(20 ms) reads "clean the house" as now; recurrent 0.4 knows English only and no "hourly".
"""

import re
import unicodedata
from datetime import datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from hermes.errors import Usage
from hermes.scheduler.grammar import Unclear, read_elements
from hermes.scheduler.resolve import HORIZON_DAYS, resolve
from hermes.scheduler.trigger import DAY_MS, Cron, Once, Trigger, next_after, wall_instant
from hermes.scheduler.words import LANGUAGES, canonical

PHRASE_CHARS = 200
EXAMPLES = (
    "such as: in 10 minutes, tomorrow at 9, on friday at 8:30, every day at 17:00,"
    " every monday and thursday at 10, every 2 hours, 2026-12-24 18:00, or cron: 30 8 * * 1-5"
)

_AT = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_CRON_FIELDS = 5
_CRON_FIELD = re.compile(r"(?:[\d*]|[a-zA-Z]{3}|L\b)[\w*,/#-]*", re.ASCII)
_CRON_START = re.compile(r"[\d*][\d*,/-]* [\d*][\d*,/-]* ", re.ASCII)
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)?", re.IGNORECASE
)


def parse_when(text: str, now_ms: int, zone: ZoneInfo) -> Trigger:
    """Read `when`; wall-clock times are those of `zone`.

    Raises Usage naming what was not understood, never guesses. Pure but for the zone's file.
    """
    said = " ".join(text.split())
    if not said or len(text) > PHRASE_CHARS:
        raise Usage(f"a time has 1 to {PHRASE_CHARS} characters", EXAMPLES)
    try:
        return _checked(_exact(said, now_ms, zone) or _phrase(said, now_ms, zone), now_ms)
    except Unclear as error:
        shown = "".join(c if c.isprintable() else "?" for c in said)
        raise Usage(f"when {shown!r}: {error}", EXAMPLES) from None


def _checked(trigger: Trigger, now_ms: int) -> Trigger:
    if next_after(trigger, now_ms) is None:
        raise Unclear("that time is past, or never comes")
    return trigger


def _exact(said: str, now_ms: int, zone: ZoneInfo) -> Trigger | None:
    if said.startswith("@"):
        fields = _AT.get(said.casefold())
        if fields is None:
            raise Unclear(f"only {', '.join(_AT)} are known")
        return Cron(fields, zone.key)
    if _CRON_START.match(said) and all(_CRON_FIELD.fullmatch(f) for f in said.split()):
        return _cron(said, now_ms, zone)
    if _INSTANT.fullmatch(said):
        return _once(said, now_ms, zone)
    return None


def _cron(said: str, now_ms: int, zone: ZoneInfo) -> Cron:
    fields = said.split()
    if len(fields) != _CRON_FIELDS:
        raise Unclear(f"cron has five fields, here are {len(fields)}")
    now = datetime.fromtimestamp(now_ms / 1000, tz=zone)
    try:
        CronSim(said, now)
    except CronSimError as error:
        raise Unclear(f"not a cron phrase: {error}") from None
    return Cron(said, zone.key)


def _once(said: str, now_ms: int, zone: ZoneInfo) -> Once:
    try:
        moment = datetime.fromisoformat(said.upper())
        if moment.tzinfo is None:
            at_ms = wall_instant(moment, zone)
        else:
            at_ms = round(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise Unclear("there is no such date or time") from None
    if at_ms - now_ms > HORIZON_DAYS * DAY_MS:
        raise Unclear("that is more than 50 years ahead")
    return Once(at_ms)


def _phrase(said: str, now_ms: int, zone: ZoneInfo) -> Trigger:
    words = _words(said)
    found: dict[Trigger, str] = {}
    failures: list[tuple[int, str]] = []
    for language in LANGUAGES:
        read, origins = canonical(words, language)
        try:
            elements = read_elements(" ".join(read))
        except Unclear as error:
            start = origins[" ".join(read)[: error.at].count(" ")]
            failures.append((start, f"{error}: {' '.join(words[start:])!r}"))
            continue
        try:
            found.setdefault(resolve(elements, now_ms, zone), language)
        except Unclear as error:
            failures.append((len(words), str(error)))
    if len(found) > 1:  # no phrase known does, but tables grow
        raise Unclear(f"it means different times in {' and '.join(found.values())}")
    if not found:
        raise Unclear(max(failures, key=lambda failure: failure[0])[1])
    return next(iter(found))


def _words(said: str) -> list[str]:
    # Small letters without accents; the ordinal dot and the end of a sentence fall off.
    plain = unicodedata.normalize("NFKD", said.replace("\u2019", "'").casefold())
    letters = "".join(c for c in plain if not unicodedata.combining(c))
    words = [word.rstrip(".!?") for word in re.split(r"[\s,;]+", letters)]
    return [word for word in words if word]
