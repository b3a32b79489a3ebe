"""The phrases in docs/schedule.md and in the error's examples are understood, as the page says."""

import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from hermes.scheduler.phrases import EXAMPLES, parse_when

ZONE = ZoneInfo("Europe/Berlin")
NOW = round(datetime(2026, 11, 21, 10, tzinfo=ZONE).timestamp() * 1000)
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "schedule.md").read_text()
SECTION = PAGE.partition("## How a time can be said")[2].partition("What is not understood")[0]
SHOWN = re.findall(r"`([^`]+)`", SECTION)


def test_the_page_shows_phrases():
    assert len(SHOWN) > 30


@pytest.mark.parametrize("phrase", SHOWN)
def test_what_the_page_shows_is_understood(phrase):
    parse_when(phrase, NOW, ZONE)


def test_the_examples_of_a_refusal_are_understood():
    phrases = EXAMPLES.removeprefix("such as: ").replace("or cron: ", "").split(", ")
    assert len(phrases) > 5
    for phrase in phrases:
        parse_when(phrase, NOW, ZONE)
