import pytest

from hermes.core.verdict import Evidence
from hermes.successor.weighing import word_of

STAGES = ["lint", "starts", "acceptance", "benchmarks", "task"]


def word(**outcomes):
    given = {"build": "pass", **dict.fromkeys(STAGES, "pass"), **outcomes}
    evidence = [Evidence(stage, outcome, "") for stage, outcome in given.items() if outcome]
    return word_of(evidence, STAGES)


def test_all_that_decide_pass():
    assert (
        word() == word(tests="fail") == word(task="skipped") == word(task="advisory") == "approve"
    )


@pytest.mark.parametrize("stage", ["build", *STAGES])
def test_one_that_fails_is_enough(stage):
    assert word(**{stage: "fail"}) == "reject"


@pytest.mark.parametrize("stage", ["build", *STAGES])
@pytest.mark.parametrize("outcome", ["inconclusive", "skipped", "advisory", None])
def test_what_is_not_shown_is_no_yes(stage, outcome):
    wanted = "approve" if stage == "task" and outcome in {"skipped", "advisory"} else "inconclusive"
    assert word(**{stage: outcome}) == wanted
