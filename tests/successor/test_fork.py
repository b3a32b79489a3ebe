"""A change of this very runtime, tried in real boxes from end to end."""

import difflib
from pathlib import Path

import pytest

from hermes.successor.fork import fork_successor
from hermes.successor.judge.starts import Starts
from hermes.successor.trial import Terms

MAIN = "hermes/cli/main.py"


def patch_of(checkout: Path, path: str, old: str, new: str) -> str:
    before = (checkout / path).read_text()
    assert old in before
    after = before.replace(old, new, 1)
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{path}", f"b/{path}"
    )
    return "".join(lines)


@pytest.fixture
def good(checkout):
    old, new = "From what the stages found to one word", "From what all stages found to one word"
    diff = patch_of(checkout, "hermes/successor/weighing.py", old, new)
    return f"# A better docstring\n\nSay it clearly.\n\n```diff\n{diff}```\n\nThat is all.\n"


@pytest.fixture
def bad(checkout):
    return patch_of(checkout, MAIN, 'print(f"hermes {__version__}")', "raise SystemExit(7)")


@pytest.mark.timeout(180)
async def test_a_good_patch_is_approved_and_a_broken_one_rejected(workshop_with, book, good, bad):
    workshop = workshop_with(Starts())
    successor = fork_successor(
        current_state=b"{}",
        architecture_patch=good,
        evaluation_task="it still starts",
        workshop=workshop,
        terms=Terms(effort="micro", seed="ab"),
    )
    verdict = await successor.complete()
    assert verdict.word == "approve", verdict.reasons
    assert [one.stage for one in verdict.evidence] == ["build", "starts"]
    assert verdict.seed == "ab"
    assert verdict.spent.cpu_ms > 0
    assert verdict.ward.tier in {"A", "A-"}
    again = await fork_successor(
        current_state=b"{}",
        architecture_patch=good,
        evaluation_task="it still starts",
        workshop=workshop,
        terms=Terms(effort="micro"),
    ).complete()
    assert again == verdict
    broken = await fork_successor(
        current_state=b"{}",
        architecture_patch=bad,
        evaluation_task="it still starts",
        workshop=workshop,
        terms=Terms(effort="micro"),
    ).complete()
    assert broken.word == "reject"
    assert "hermes --version ends by exit code 7" in broken.reasons[0]
    assert book.told == ["intent", "approve", "intent", "reject"]
    assert (Path(__file__).parents[2] / MAIN).read_text().count("raise SystemExit(7)") == 0
