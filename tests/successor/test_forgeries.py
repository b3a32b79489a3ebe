"""Forged results: whoever asks pytest alone believes each of them, the judge none."""

import json

import pytest
from forged import GOOD, PARENT, TRICKS
from small_trees import bench_of

from hermes.core.verdict import Evidence
from hermes.sandbox.box import Wires
from hermes.successor.judge.lint import Lint
from hermes.successor.judge.trusted import Trusted
from hermes.successor.weighing import word_of
from hermes.successor.workbench import REPO, View, Workbench

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
ASK = """
import json, sys
from hermes.low.words import loud, short
for name, text in json.load(sys.stdin):
    print(json.dumps({"short": short, "loud": loud}[name](text)), flush=True)
"""


async def believes(bench: Workbench) -> bool:
    """Whether somebody who runs the candidate's tests and looks at the exit code is content."""
    argv = bench.python("-m", "pytest", "-q")
    return (await bench.run("candidate", argv, View(cwd=REPO))).ok


async def answers(bench: Workbench) -> Evidence:
    """What acceptance does, in small: random calls from another process, the parent's answers."""
    chance = bench.chance("answers")
    calls = [
        (name, "".join(chance.choices("abcß ", k=chance.randrange(40))))
        for name in chance.choices(["short", "loud"], k=40)
    ]
    wires = Wires(stdin=json.dumps(calls).encode())
    argv = bench.python("-c", ASK)
    old, new = [await bench.run(side, argv, wires=wires) for side in ("parent", "candidate")]
    assert old.stdout.count(b"\n") == len(calls)
    same = old.stdout == new.stdout and new.ok
    return Evidence("answers", "pass" if same else "fail", "")


@pytest.fixture(scope="module")
def trusted():
    return Trusted()


@pytest.fixture
def judged(standing, open_data, trusted):
    """The bench, and the stages up to the first that says no, as a trial has them."""

    async def judge(change):
        bench = await bench_of(standing, open_data, PARENT, change)
        evidence = [Evidence("build", "pass", "")]
        for look in (Lint().judge, trusted.judge, answers):
            evidence.append(await look(bench))
            if evidence[-1].outcome == "fail" and evidence[-1].stage != "tests":
                break
        return bench, evidence

    return judge


async def test_an_honest_change_is_let_through(judged):
    bench, evidence = await judged(GOOD)
    assert [one.outcome for one in evidence] == ["pass"] * 4
    assert word_of(evidence, ["lint", "answers"]) == "approve"
    assert await believes(bench)
    assert bench.marks == []


@pytest.mark.parametrize("trick", TRICKS)
async def test_no_forgery_is_approved(judged, trick):
    change, first = TRICKS[trick]
    bench, evidence = await judged(change)
    assert await believes(bench)
    assert next(one.stage for one in evidence if one.outcome != "pass") == first
    assert word_of(evidence, ["lint", "answers"]) == "reject"
    if any(path.startswith("tests/") or path.endswith((".ini", ".toml")) for path in change):
        assert first == "lint" or bench.marks
