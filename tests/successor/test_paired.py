import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.successor.judge.paired import ALPHA, LOOKS, Run, compare, decide
from hermes.successor.judge.ranks import interval


def runner(chance, *, slower=1.0, waits=1.0, heavier=0, noise=0.06):
    """A machine that drifts, with sides that differ as asked."""
    state = {"drift": 0.0}

    async def run(side, _seed):
        state["drift"] += chance.gauss(0, 0.01)
        mine = side == "candidate"
        cpu = 0.1 * math.exp(state["drift"] + chance.gauss(0, noise)) * (slower if mine else 1)
        return Run(cpu, cpu * (waits if mine else 1), 20_000 + (heavier if mine else 0))

    return run


async def words(count, goal="same", **how):
    found = []
    for seed in range(count):
        chance = random.Random(seed)
        found.append(await compare(runner(chance, **how), goal, chance))
    return found


def test_the_interval_is_that_of_the_tables():
    """n = 10: the 9 smallest and largest Walsh averages lie outside at 4.88 % (Hollander A.4)."""
    values = [float(one) for one in range(10)]
    walsh = sorted((a + b) / 2 for i, a in enumerate(values) for b in values[i:])
    found = interval(values, 0.0488)
    assert (found.low, found.high) == (walsh[8], walsh[-9])
    assert found.middle == statistics.median(walsh)


def test_too_few_values_bound_nothing():
    assert interval([0.1, 0.2, 0.3], 0.05)[1:] == (-math.inf, math.inf)
    assert interval([], 0.05).middle == 0


@given(st.lists(st.floats(-1, 1), min_size=10, max_size=20), st.floats(-1, 1))
def test_the_interval_moves_with_its_values(values, by):
    before, after = interval(values, ALPHA), interval([one + by for one in values], ALPHA)
    assert after == pytest.approx([one + by for one in before], abs=1e-9)
    assert before.low <= before.middle <= before.high


async def test_the_same_code_is_hardly_ever_called_slower_or_faster():
    found = [one.word for one in await words(60)]
    assert found.count("slower") + found.count("faster") <= 3
    assert found.count("ok") >= 30


async def test_a_fifth_slower_is_seen_within_a_few_pairs():
    found = await words(30, slower=1.2)
    assert [one.word for one in found] == ["slower"] * 30
    assert statistics.median(one.pairs for one in found) <= 20


async def test_a_quarter_faster_is_seen():
    found = await words(30, goal="better", slower=0.75)
    assert [one.word for one in found] == ["faster"] * 30


async def test_the_same_code_is_no_improvement():
    assert "faster" not in [one.word for one in await words(30, goal="better")]


async def test_waiting_costs_no_cpu_and_is_seen():
    assert [one.word for one in await words(10, waits=1.5)] == ["slower"] * 10


async def test_a_weight_is_told():
    found = (await words(1, heavier=4_000))[0]
    assert found.heavier == 4_000
    assert (await words(1, heavier=300))[0].heavier == 0


async def test_time_that_is_over_is_inconclusive():
    chance = random.Random(1)
    found = await compare(runner(chance), "same", chance, most_s=0.0)
    assert (found.word, found.pairs) == ("inconclusive", 0)
    assert found.ratio("store").low == 0


def test_pairs_that_show_nothing_are_not_decided():
    pair = (Run(0.1, 0.1, 1), Run(0.1, 0.1, 1))
    noisy = [(Run(0.1, 0.1, 1), Run(0.1 * (1.5 if i % 2 else 0.66), 0.1, 1)) for i in range(10)]
    assert decide(noisy, "same") is None
    assert decide([pair] * LOOKS[0], "same").word == "ok"
