"""The rules on lines that people type; each file says how it was measured first."""

from pathlib import Path

import pytest

from hermes.core.ids import Cid
from hermes.memory.claims import find
from hermes.memory.found import Retraction, Spoken
from hermes.store.claim import Claim
from hermes.store.history import Said, Talk
from hermes.store.promotion import Read

NOW = 1_795_000_000_000  # Wednesday, 18 November 2026
DAY = 86_400_000


def found(text: str, at: int = NOW):
    line = Said(Cid("cid"), "session", "turn", "user", at, text)
    talk = Talk("conversation", "/root", Read("conversation", None, 1), begun=True, said=(line,))
    return find([Spoken(talk, "project")], at)


def claims(text: str, **more) -> list[Claim]:
    return [one for one in found(text, **more) if isinstance(one, Claim)]


def lines(name: str) -> list[tuple[str, str, str]]:
    rows = Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
    parts = [row.split("\t") for row in rows if row and not row.startswith("#")]
    return [(p[0], p[1].replace("\\n", "\n"), p[2] if len(p) > 2 else "") for p in parts]


def score(name: str) -> tuple[float, float, list[str]]:
    """Precision and recall of what the person's one word makes a memory, and what went wrong."""
    right = wrong = missed = 0
    notes = []
    for label, text, words in lines(name):
        kept = [one for one in claims(text) if one.asserted]
        good = [one for one in kept if label == "keep" and words.lower() in one.content.lower()]
        spare = len(kept) - len(good) if "\n-" not in text or label != "keep" else 0
        wrong += spare
        right += bool(good)
        missed += label == "keep" and not good
        if spare or (label == "keep" and not good):
            notes.append(f"{label}: {text} -> {[one.content for one in kept]}")
    return right / (right + wrong), right / (right + missed), notes


SETS = ("said_lines.tsv", "said_lines_held.tsv", "said_lines_last.tsv")


@pytest.mark.parametrize("name", SETS)
def test_precision_and_recall_of_the_rules(name):
    precision, recall, notes = score(name)
    assert precision >= 0.95, notes
    assert recall >= 0.9, notes


def test_the_sets_tempt_more_than_they_give():
    labels = [label for name in SETS for label, *_ in lines(name)]
    assert len(labels) >= 300
    assert labels.count("none") > labels.count("keep")


@pytest.mark.parametrize("row", [r for r in lines("said_lines.tsv") if r[0] in {"forget", "twice"}])
def test_what_is_taken_back_and_what_waits(row):
    label, text, _ = row
    (one,) = found(text)
    if label == "forget":
        assert isinstance(one, Retraction)
    else:
        assert isinstance(one, Claim)
        assert not one.asserted


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("Until Friday, deploy to the blue cluster.", 2),
        ("Remember that the freeze holds until 2026-12-01.", 13),
        ("Remember that the demo key works for the next 3 days", 3),
        ("Merk dir, dass der Testserver bis Montag steht.", 5),
        ("Remember that we freeze the schema until the end of the month.", 12),
        ("From now on we pair on reviews.", None),
    ],
)
def test_what_has_an_end_ends(text, days):
    (one,) = claims(text)
    if days is None:
        assert one.expires_at is None
    else:
        ends = one.expires_at
        assert ends is not None
        assert 0 < ends - (NOW + days * DAY) <= DAY


def test_what_ended_before_it_was_read_is_nothing():
    line = Said(Cid("c"), "s", "t", "user", NOW, "Until Friday, deploy to the blue cluster.")
    talk = Talk("c", "/root", Read("c", None, 1), begun=True, said=(line,))
    assert find([Spoken(talk, "p")], NOW + 30 * DAY) == []


def test_marks_are_not_part_of_a_memory():
    (one,) = claims("No, the worker listens on port 9100, not 8100.")
    assert one.content == "The worker listens on port 9100"
    assert (one.changes, one.instead_of) == (True, "8100")


def test_a_huge_paste_is_passed_over_quickly():
    paste = "remember that " + "we always use curl. " * 400_000
    assert claims(f"look:\n{paste[:8192]}") == []


@pytest.mark.parametrize(
    "sign", ["(", "a,", "no, ", "not x, ", "until ", "``", "<a>", "V is ", "it's not "]
)
def test_no_text_takes_long(sign):
    assert len(found(sign * (8_192 // len(sign)))) < 10
