"""What a machine with too much to do keeps from ending is nobody's fault: never a rejection."""

from dataclasses import replace
from pathlib import Path

import pytest
from small_trees import bench_of

from hermes.errors import BudgetSpent
from hermes.successor.budget import Budget, Spend
from hermes.successor.judge.reading import read_modules
from hermes.successor.judge.speed import Speed
from hermes.successor.judge.starts import Starts

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
SLEEPS = "import time; time.sleep(60)\n"
SAYS = 'print("hermes 1")\n'
PARENT = {"hermes/__init__.py": "", "hermes/cli/__init__.py": "", "hermes/word.py": "WORD = 1\n"}


def short(bench, **budget):
    given = Budget(**budget)
    return replace(bench, budget=given, spend=Spend(given))


async def test_a_reader_that_gets_no_time_refuses_nothing(standing, open_data):
    change = {f"hermes/word{n}.py": f"X = [{'{1: [()]}, ' * 20_000}]\n" for n in range(8)}
    bench = await bench_of(standing, open_data, PARENT, change)
    with pytest.raises(BudgetSpent, match="reading the changed modules ended by wall clock"):
        await read_modules(short(bench, wall_s=1.0))


async def test_what_does_not_start_where_the_parent_does_not_either_is_not_refused(
    standing, open_data
):
    slow = {**PARENT, "hermes/cli/main.py": SLEEPS}
    bench = await bench_of(standing, open_data, slow, {"hermes/word.py": "WORD = 2\n"})
    with pytest.raises(BudgetSpent, match=r"the parent, too, ended by wall clock.*busy"):
        await Starts().judge(short(bench, box_wall_s=0.5))


async def test_what_alone_does_not_start_is_refused(standing, open_data):
    bench = await bench_of(
        standing, open_data, {**PARENT, "hermes/cli/main.py": SAYS}, {"hermes/cli/main.py": SLEEPS}
    )
    evidence = await Starts().judge(short(bench, box_wall_s=4.0))
    assert (evidence.outcome, "wall clock" in evidence.says) == ("fail", True)


async def test_what_starts_once_the_time_of_the_trial_is_over_is_not_refused(standing, open_data):
    bench = await bench_of(
        standing, open_data, {**PARENT, "hermes/cli/main.py": SAYS}, {"hermes/cli/main.py": SLEEPS}
    )
    with pytest.raises(BudgetSpent):
        await Starts().judge(short(bench, wall_s=0.5))


WAITS = """import os, time

if os.environ["PYTHONHASHSEED"] != "0":
    time.sleep(60)


def one():
    return {one}
"""


async def test_what_the_parent_does_not_end_either_is_not_called_slower(standing, open_data):
    parent = {
        **PARENT,
        "hermes/word.py": WAITS.format(one="1"),
        "benchmarks/trial.py": (ROOT / "benchmarks" / "trial.py").read_text(),
        "benchmarks/trials/words.py": (
            "from hermes.word import one\n\n\ndef work(chance):\n    yield str(one())\n"
        ),
        "ci/budgets.json": '{"benchmarks": {"micro": ["words"]}}',
    }
    change = {"hermes/word.py": WAITS.format(one="2 - 1")}
    bench = short(await bench_of(standing, open_data, parent, change), box_wall_s=3.0)
    while bench.chance("benchmark words first").choice("PC") == "P":  # the candidate comes first
        bench.seed += "0"
    evidence = await Speed().judge(bench)
    assert evidence.outcome == "inconclusive", evidence.says
    assert "words does not run on the candidate: wall clock; the machine is busy" in evidence.says
