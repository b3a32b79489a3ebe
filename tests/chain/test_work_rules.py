"""The difficulty rules on made-up histories; one on Bitcoin's own first retarget."""

import pytest

from hermes.chain.work import PERIOD, bits_due, compact, earliest, target_of

FORTNIGHT = 14 * 24 * 3600
LIMIT = 0x1D00FFFF


def history(times, bits):
    return lambda height: (times(height), bits(height))


def test_the_first_retarget_that_mattered_on_main():
    # Block 32256 (height of the first change), from Core's pow_tests.
    look = history(
        lambda height: 1261130161 if height == 30240 else 1262152739, lambda height: LIMIT
    )
    assert bits_due("main", 32256, 1262153464, 0, look) == 0x1D00D86A


def test_the_limit_is_the_floor_and_a_quarter_the_most():
    # Core's pow_tests: get_next_work_pow_limit, lower_limit_actual, upper_limit_actual.
    limit = history(lambda h: 1231006505 if h == 0 else 1233061996, lambda h: LIMIT)
    assert bits_due("main", 2016, 0, 0, limit) == LIMIT
    lower = history(lambda h: 1279008237 if h == 66528 else 1279297671, lambda h: 0x1C05A3F4)
    assert bits_due("main", 68544, 0, 0, lower) == 0x1C0168FD
    upper = history(lambda h: 1263163443 if h == 44352 else 1269211443, lambda h: 0x1C387F6F)
    assert bits_due("main", 46368, 0, 0, upper) == 0x1D00E1FD


@pytest.mark.parametrize("network", ["main", "signet"])
def test_between_retargets_nothing_changes(network):
    look = history(lambda h: h * 600, lambda h: 0x1B0404CB)
    for height in (1, 2015, 2017, 4031):
        assert bits_due(network, height, 10**9, 0, look) == 0x1B0404CB


def test_regtest_stays_at_its_limit():
    look = history(lambda h: h, lambda h: 0x207FFFFF)
    assert bits_due("regtest", PERIOD, 0, 0, look) == 0x207FFFFF


def test_testnet4_eases_after_twenty_minutes_and_forgets_it_again():
    hard = 0x1C00FFFF

    def bits(height):
        return LIMIT if height in {5000, 5001} else hard

    look = history(lambda h: h * 600, bits)
    assert bits_due("testnet4", 5002, 5001 * 600 + 1201, 0, look) == LIMIT
    assert bits_due("testnet4", 5002, 5001 * 600 + 1200, 0, look) == hard
    # At a period's first block the search ends, whatever it says.
    eased = history(lambda h: h * 600, lambda h: LIMIT if h >= 4032 else hard)
    assert bits_due("testnet4", 4034, 4033 * 600, 0, eased) == LIMIT


def test_testnet4_retargets_from_the_first_block_of_the_period():
    hard = 0x1C00FFFF
    look = history(
        lambda h: h * 600 + (FORTNIGHT if h >= 4000 else 0),
        lambda h: LIMIT if h == 4031 else hard,
    )
    due = bits_due("testnet4", 4032, 0, 0, look)
    span = 2015 * 600 + FORTNIGHT
    assert due == compact(target_of(hard) * span // FORTNIGHT)
    assert bits_due("main", 4032, 0, 0, look) == LIMIT


def test_bip_94_keeps_a_period_from_beginning_far_in_the_past():
    assert earliest("testnet4", 4032, 1000, 10_000) == 9_400
    assert earliest("testnet4", 4033, 1000, 10_000) == 1_001
    assert earliest("main", 4032, 1000, 10_000) == 1_001
