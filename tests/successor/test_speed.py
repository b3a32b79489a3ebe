"""The stage `benchmarks`, over small trees with one benchmark."""

import json
from pathlib import Path

import pytest
from small_trees import bench_of

from hermes.core.candidate import Goal
from hermes.core.verdict import Evidence
from hermes.successor.judge.speed import Speed
from hermes.successor.judge.workloads import named

TRIAL = Path(__file__).parents[2] / "benchmarks" / "trial.py"
WORK = """from hermes.low.words import count


def work(chance):
    for _ in range(4):
        yield str(count(chance.getrandbits(40)))
"""
WORDS = """def count(number: int) -> int:
    for _ in range({laps}):
        number = number * 31 % 1_000_003
    return number
"""
MODULE = "hermes/low/words.py"
LAPS = 150_000
SAME = WORDS.format(laps=LAPS)
PARENT = {
    "hermes/__init__.py": "",
    "hermes/low/__init__.py": "",
    "hermes/low/idle.py": "IDLE = 1\n",
    MODULE: SAME,
    "benchmarks/trial.py": TRIAL.read_text(),
    "benchmarks/trials/words.py": WORK,
    "ci/budgets.json": '{"benchmarks": {"micro": ["words"]}}',
}


@pytest.fixture
def judged(standing, open_data):
    async def judge(change: dict[str, str], goal: Goal = "same", task: str = "") -> Evidence:
        bench = await bench_of(standing, open_data, PARENT, change)
        bench.goal, bench.task = goal, task
        found = await Speed().judge(bench)
        kept = json.loads(bench.records[found.record])
        assert len(kept["done"]) == len(found.ids)
        return found

    return judge


def test_a_task_names_its_benchmarks():
    there = ("prompt", "store", "merkle")
    assert named("Make benchmark prompt faster; store may stay", there) == ("prompt",)
    assert named("`benchmarks: store, and merkle` improve", there) == ("store", "merkle")
    assert named("improve the prompt", there) == ()


async def test_what_no_benchmark_runs_is_not_measured(judged):
    found = await judged({"hermes/low/idle.py": "IDLE = 2\n", "README": "x"})
    assert (found.outcome, found.ids) == ("pass", ())
    found = await judged({"hermes/low/idle.py": "IDLE = 2\n"}, "better")
    assert found.outcome == "fail"


async def test_another_result_is_no_speed(judged):
    found = await judged({MODULE: SAME.replace("31", "37")})
    assert (found.outcome, found.ids, found.ratios) == ("fail", ("words",), ())
    assert "another result" in found.says


FORGED = {
    "ends early": "import os\nos._exit(0)\n",
    "prints an answer": "import os\nprint('a' * 64, flush=True)\nos._exit(0)\n",
    "answers twice": "print('a' * 64)\n" + SAME,
    "fails": "raise SystemExit(3)\n",
}


@pytest.mark.parametrize("how", FORGED)
async def test_a_forged_result_is_seen(judged, how):
    assert (await judged({MODULE: FORGED[how]})).outcome == "fail"


@pytest.mark.slow
@pytest.mark.alone
async def test_the_same_code_in_other_words_is_not_slower(judged):
    found = await judged({MODULE: SAME.replace("number", "value")})
    assert found.outcome in {"pass", "inconclusive"}
    assert found.ratios[0].pairs >= 10
    assert 850 < found.ratios[0].middle < 1_150


SLOWER = {
    "works more": SAME.replace("    return", f"    sum(range({LAPS * 4}))\n    return"),
    "waits": "import time\ntime.sleep(0.2)\n" + SAME,
    "works beside": """import os, time
if not os.fork():
    while time.process_time() < 30:
        pass
    os._exit(0)
time.sleep(0.2)
"""
    + SAME,
}


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("how", SLOWER)
async def test_slower_is_seen_twice_and_rejected(judged, how):
    found = await judged({MODULE: SLOWER[how]})
    assert (found.outcome, found.ratios[0].word) == ("fail", "slower")


@pytest.mark.slow
@pytest.mark.alone
async def test_faster_is_seen_twice_where_it_was_promised(judged):
    quick = f"""def count(number: int) -> int:
    return number * pow(31, {LAPS}, 1_000_003) % 1_000_003
"""
    found = await judged({MODULE: quick}, "better", "benchmark words")
    assert (found.outcome, found.ratios[0].word) == ("pass", "faster")
    assert found.ratios[0].high < 990


@pytest.mark.slow
@pytest.mark.alone
async def test_a_promise_that_is_not_kept_is_no_approval(judged):
    found = await judged({MODULE: SAME.replace("number", "value")}, "better")
    assert found.outcome in {"fail", "inconclusive"}
