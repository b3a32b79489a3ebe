from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.errors import Usage
from hermes.scheduler.phrases import EXAMPLES, parse_when
from hermes.scheduler.trigger import Cron, Days, Every, Once, next_after
from hermes.scheduler.words import LANGUAGES

BERLIN = ZoneInfo("Europe/Berlin")
NOW = round(datetime(2026, 11, 21, 10, tzinfo=BERLIN).timestamp() * 1000)  # a Saturday

ONCE = {
    # English
    "in 5 minutes": "11-21 10:05",
    "in an hour": "11-21 11:00",
    "in half an hour": "11-21 10:30",
    "in 1 hour and 30 minutes": "11-21 11:30",
    "5 minutes from now": "11-21 10:05",
    "in 2h": "11-21 12:00",
    "in 3 days": "11-24 10:00",
    "in 3 days at 9": "11-24 09:00",
    "In two weeks": "12-05 10:00",
    "tomorrow": "11-22 09:00",
    "tomorrow at 9": "11-22 09:00",
    "tomorrow at nine.": "11-22 09:00",
    "at 9 tomorrow": "11-22 09:00",
    "tomorrow morning": "11-22 09:00",
    "tomorrow evening at 8": "11-22 20:00",
    "the day after tomorrow at noon": "11-23 12:00",
    "at 17:30": "11-21 17:30",
    "at 5pm": "11-21 17:00",
    "at 5 p.m.": "11-21 17:00",
    "12am": "11-22 00:00",
    "12pm": "11-21 12:00",
    "at 9": "11-22 09:00",
    "tonight": "11-21 21:00",
    "tonight at 8": "11-21 20:00",
    "next monday": "11-23 09:00",
    "monday at 9:15": "11-23 09:15",
    "on friday at 8": "11-27 08:00",
    "saturday at 11": "11-21 11:00",
    "saturday at 9": "11-28 09:00",
    "next saturday at 11": "11-28 11:00",
    "on the 28th at 9": "11-28 09:00",
    "december 24 at 18:00": "12-24 18:00",
    "24 December at 6pm": "12-24 18:00",
    "2026-12-24 18:00": "12-24 18:00",
    "2026-12-24": "12-24 09:00",
    "2026-12-24T18:00:00Z": "12-24 19:00",
    "2026-12-24t18:00:00+01:00": "12-24 18:00",
    # German
    "in 5 Minuten": "11-21 10:05",
    "in einer halben Stunde": "11-21 10:30",
    "morgen um 9": "11-22 09:00",
    "morgen um 9 Uhr 30": "11-22 09:30",
    "morgen früh": "11-22 09:00",
    "heute Abend": "11-21 19:00",
    "übermorgen um 12": "11-23 12:00",
    "nächsten Montag": "11-23 09:00",
    "am Freitag um 8.30 Uhr": "11-27 08:30",
    "am 24. Dezember um 18 Uhr": "12-24 18:00",
    "24.12.2026 um 18 Uhr": "12-24 18:00",
    # French
    "dans 5 minutes": "11-21 10:05",
    "demain à 9h30": "11-22 09:30",
    "demain matin": "11-22 09:00",
    "ce soir à 20h": "11-21 20:00",
    "lundi prochain à 9 heures": "11-23 09:00",
    "après-demain à midi": "11-23 12:00",
    "le 24 décembre à 18h": "12-24 18:00",
    # Spanish
    "en 5 minutos": "11-21 10:05",
    "dentro de una hora": "11-21 11:00",
    "mañana a las 9": "11-22 09:00",
    "mañana por la mañana": "11-22 09:00",
    "esta noche": "11-21 21:00",
    "el próximo lunes a las 8": "11-23 08:00",
    "a las 8 de la tarde": "11-21 20:00",
    "el 24 de diciembre a las 18:00": "12-24 18:00",
}

CRON = {
    "every day at 9": "0 9 * * *",
    "at 9 every day": "0 9 * * *",
    "daily at 7:05": "5 7 * * *",
    "daily": "0 9 * * *",
    "every morning": "0 9 * * *",
    "every night": "0 21 * * *",
    "every day at 8 in the evening": "0 20 * * *",
    "every weekday at 8:30": "30 8 * * 1,2,3,4,5",
    "on weekdays at 8:30": "30 8 * * 1,2,3,4,5",
    "every monday and thursday at 10": "0 10 * * 1,4",
    "every mon, wed, fri at 10": "0 10 * * 1,3,5",
    "each sunday at 9": "0 9 * * 0",
    "sundays at 9": "0 9 * * 0",
    "every week on monday at 9": "0 9 * * 1",
    "every month on the 3rd at 9": "0 9 3 * *",
    "monthly": "0 9 1 * *",
    "@daily": "0 0 * * *",
    "@Hourly": "0 * * * *",
    "30 8 * * 1-5": "30 8 * * 1-5",
    "0 9 L * *": "0 9 L * *",
    "*/5 9-17 * * MON-FRI": "*/5 9-17 * * MON-FRI",
    "jeden Tag um 9": "0 9 * * *",
    "täglich um 9:30 Uhr": "30 9 * * *",
    "werktags um 8:30": "30 8 * * 1,2,3,4,5",
    "jeden Montag und Donnerstag um 10": "0 10 * * 1,4",
    "montags und freitags um 9": "0 9 * * 1,5",
    "jeden Morgen um 8": "0 8 * * *",
    "tous les jours à 9h": "0 9 * * *",
    "chaque lundi à 9h": "0 9 * * 1",
    "tous les lundis et jeudis à 10h": "0 10 * * 1,4",
    "todos los días a las 9:30": "30 9 * * *",
    "cada lunes a las 9": "0 9 * * 1",
    "los lunes y jueves a las 10": "0 10 * * 1,4",
}

PERIODS = {
    "every 10 minutes": 10,
    "every minute": 1,
    "every hour": 60,
    "hourly": 60,
    "every 2 hours": 120,
    "alle 10 min": 10,
    "jede Stunde": 60,
    "alle 2 Stunden": 120,
    "toutes les 10 minutes": 10,
    "toutes les heures": 60,
    "cada 2 horas": 120,
}

REFUSED = {
    "clean the house": "clean the house",
    "in 5 bananas": "in 5 bananas",
    "on friday at 8 and eat": "and eat",
    "when a.txt changes": "when a.txt changes",
    "am Freitag um 8 und Kuchen": "und kuchen",
    "next week": "next week",
    "tomorrow 9": "'9'",
    "on 5.6": "5.6",
    "5/6/2027": "5/6/2027",
    "at 25:99": "no time of day",
    "at 13pm": "no time of day",
    "today": "needs a time",
    "today at 8": "past",
    "2020-01-01": "past",
    "in 0 minutes": "past",
    "2027-02-30": "no such date",
    "2027-02-30 10:00": "no such date",
    "on the 32nd": "no such date",
    "tonight at 12": "not in the night",
    "tomorrow morning at 5pm": "not in the morning",
    "every 10 seconds": "once a minute",
    "every 0 minutes": "once a minute",
    "every 10 minutes at 9": "cannot have",
    "every day tomorrow": "cannot have",
    "every monday next friday": "cannot have",
    "every month on the 31st": "not every month",
    "tomorrow in 5 minutes": "span",
    "in 5 minutes at 9": "not with hours",
    "tomorrow tomorrow": "one day too many",
    "at 9 at 10": "one clock too many",
    "in 99999 days": "50 years",
    "in 99999 months": "50 years",
    "9999-12-31 23:59": "50 years",
    "0001-01-01 00:00": "no such date",
    "0 0 * * * *": "five fields",
    "61 * * * *": "minute",
    "0 0 30 2 *": "cron",
    "@reboot": "@daily",
    "": "1 to 200",
    " \n": "1 to 200",
    "a" * 201: "1 to 200",
}


@pytest.mark.parametrize(("phrase", "when"), ONCE.items())
def test_one_time(phrase, when):
    trigger = parse_when(phrase, NOW, BERLIN)
    assert isinstance(trigger, Once)
    local = datetime.fromtimestamp(trigger.at_ms / 1000, tz=BERLIN)
    assert f"{local:%m-%d %H:%M}" == when
    assert local.year == 2026


@pytest.mark.parametrize(("phrase", "fields"), CRON.items())
def test_repetitions_on_the_wall_clock(phrase, fields):
    assert parse_when(phrase, NOW, BERLIN) == Cron(fields, "Europe/Berlin")


@pytest.mark.parametrize(("phrase", "minutes"), PERIODS.items())
def test_periods(phrase, minutes):
    period = minutes * 60_000
    assert parse_when(phrase, NOW, BERLIN) == Every(NOW + period, period)


@pytest.mark.parametrize(
    ("phrase", "first", "step"),
    [
        ("every 2 days at 9", "2026-11-22", 2),
        ("every other day at 11", "2026-11-21", 2),
        ("every 2 weeks on monday at 9", "2026-11-23", 14),
        ("every week", "2026-11-22", 7),
        ("alle 3 Tage um 9", "2026-11-22", 3),
    ],
)
def test_calendar_steps(phrase, first, step):
    trigger = parse_when(phrase, NOW, BERLIN)
    assert isinstance(trigger, Days)
    assert (str(trigger.first), trigger.step) == (first, step)


@pytest.mark.parametrize(("phrase", "named"), REFUSED.items())
def test_what_is_not_understood_is_named_and_never_guessed(phrase, named):
    with pytest.raises(Usage) as refused:
        parse_when(phrase, NOW, BERLIN)
    assert named in refused.value.message
    assert refused.value.remedy == EXAMPLES


def test_a_refusal_shows_nothing_that_a_terminal_would_obey():
    with pytest.raises(Usage) as refused:
        parse_when("at \x1b[31m nine\u202e", NOW, BERLIN)
    assert refused.value.message.isprintable()


def test_wall_clock_times_are_those_of_the_zone():
    tokyo = parse_when("tomorrow at 9", NOW, ZoneInfo("Asia/Tokyo"))
    berlin = parse_when("tomorrow at 9", NOW, BERLIN)
    assert isinstance(tokyo, Once)
    assert isinstance(berlin, Once)
    assert berlin.at_ms - tokyo.at_ms == 8 * 3_600_000


def test_a_span_over_a_change_of_the_clock():
    evening = round(datetime(2027, 3, 27, 20, tzinfo=BERLIN).timestamp() * 1000)
    day, hours = (parse_when(p, evening, BERLIN) for p in ("in 1 day", "in 24 hours"))
    assert isinstance(day, Once)
    assert isinstance(hours, Once)
    assert day.at_ms - evening == 23 * 3_600_000
    assert hours.at_ms - evening == 24 * 3_600_000


vocabulary = sorted(
    {word for table in LANGUAGES.values() for words in table for word in words}
    | {w for table in LANGUAGES.values() for words in table.values() for w in words}
    | {"9", "17:30", "2", "31", "24.12.2026", "2026-12-24", "*", "*/5", "0", "9h30", "from", "now"}
)
instants = st.integers(946_684_800_000, 2_208_988_800_000)
zones = st.sampled_from(["Europe/Berlin", "Pacific/Apia", "America/New_York", "UTC"]).map(ZoneInfo)


@settings(max_examples=400)
@given(
    st.lists(st.sampled_from(vocabulary), min_size=1, max_size=6).map(" ".join) | st.text(),
    instants,
    zones,
)
def test_any_text_is_a_time_ahead_or_refused(phrase, now, zone):
    try:
        trigger = parse_when(phrase, now, zone)
    except Usage:
        return
    slot = next_after(trigger, now)
    assert slot is not None
    assert slot > now
