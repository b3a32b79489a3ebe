"""Which skill fits a request, and what the prompt says."""

import pytest

from hermes.memory.skills.lines import skill_lines
from hermes.memory.skills.match import FITS, SURE, fit
from hermes.memory.skills.skill import Skill

PDF = Skill(
    name="pdf-processing",
    description="Extract text and tables from PDF files, fill PDF forms, and merge PDFs. "
    "Use when working with PDF documents or when the user mentions forms.",
    body="Use pypdf.",
)
TESTS = Skill(name="run-tests", description="Run the project's tests and mend them.", body="make")
NOTES = Skill(
    name="release",
    description="Changelog and tag.",
    body="Newest first.",
    metadata={"triggers": "cut a version, Veröffentlichung, what is new,,"},
)


@pytest.mark.parametrize(
    ("skill", "text"),
    [
        (PDF, "extract the tables from this pdf"),
        (PDF, "please fill in the form in report.pdf"),
        (TESTS, "run the tests"),
        (NOTES, "could you cut a version today?"),
        (NOTES, "What is new?"),
        (NOTES, "bereite die Veröffentlichung vor"),
    ],
)
def test_what_fits(skill: Skill, text: str) -> None:
    assert fit(skill, text) >= FITS
    assert max((PDF, TESTS, NOTES), key=lambda each: fit(each, text)) == skill


@pytest.mark.parametrize(
    "text",
    [
        "",
        "what is the weather like",
        "a new file",
        "use your skills",
        "which files are there",
        "hello",
        "?!",
    ],
)
def test_what_does_not(text: str) -> None:
    assert all(fit(skill, text) < FITS for skill in (PDF, TESTS, NOTES))


def test_a_single_shared_word_is_not_sure() -> None:
    assert fit(PDF, "merge") < SURE


def test_the_fitting_one_stands_first() -> None:
    lines = skill_lines("full", (TESTS, PDF, NOTES), "cut a version")
    assert [line.split(":")[0] for line in lines[1:3]] == ["- release", "- pdf-processing"]
    assert "run-tests" in lines[-1]


def test_lines_stay_within_their_room_and_say_what_is_left() -> None:
    many = [Skill(name=f"s{n}", description="x" * 900, body="") for n in range(200)]
    for profile in ("full", "lean"):
        lines = skill_lines(profile, many, "anything")
        assert len("\n".join(lines).encode()) <= 360
        assert lines[-1].endswith(" more")
    assert skill_lines("native", many, "s1") == ()
    assert skill_lines("full", (), "s1") == ()


def test_what_only_the_person_calls_for_is_not_offered() -> None:
    manual = Skill(name="deploy", description="Deploy.", body="", manual=True)
    (only,) = skill_lines("full", (manual,), "deploy")
    assert "deploy" not in only.casefold()
    assert skill_lines("native", (manual,), "deploy") == ()


def test_short_instructions_that_surely_fit_stand_whole_in_a_small_window() -> None:
    assert skill_lines("lean", (TESTS, NOTES), "cut a version") == (
        "How the person wants this done (skill release):\nNewest first.",
    )
    narrow = Skill(name="release", description="Tag.", body="x", allowed_tools=())
    for skill in (narrow, Skill(name="release", description="Tag.", body="x" * 400)):
        assert "How the person" not in skill_lines("lean", (skill,), "release tag")[0]
