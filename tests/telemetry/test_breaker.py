from contextlib import suppress

import pytest

from hermes.errors import CircuitOpen
from hermes.telemetry.breaker import CircuitBreaker


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def fail(breaker: CircuitBreaker, times: int = 1) -> None:
    for _ in range(times):
        with suppress(OSError), breaker.guard((OSError,)):
            raise OSError("down")


def test_stays_closed_while_calls_succeed_in_between():
    breaker = CircuitBreaker(failures=2)
    for _ in range(5):
        fail(breaker)
        with breaker.guard((OSError,)):
            pass
    assert breaker.state == "closed"


def test_opens_after_failures_in_a_row_and_says_for_how_long():
    clock = Clock()
    breaker = CircuitBreaker(failures=3, rest_s=10, clock=clock)
    fail(breaker, 3)
    assert breaker.state == "open"
    clock.now += 4
    with pytest.raises(CircuitOpen) as caught, breaker.guard((OSError,)):
        pytest.fail("let through")
    assert "6 s" in caught.value.remedy
    assert "3 times" in caught.value.message


def test_one_probe_at_a_time_and_recovery():
    clock = Clock()
    breaker = CircuitBreaker(failures=1, rest_s=10, clock=clock)
    fail(breaker)
    clock.now += 10
    assert breaker.state == "half-open"
    with breaker.guard((OSError,)), pytest.raises(CircuitOpen), breaker.guard((OSError,)):
        pytest.fail("a second probe was let through")
    assert breaker.state == "closed"


def test_a_failed_probe_opens_again():
    clock = Clock()
    breaker = CircuitBreaker(failures=1, rest_s=10, clock=clock)
    fail(breaker)
    clock.now += 10
    fail(breaker)
    assert breaker.state == "open"
    clock.now += 10
    assert breaker.state == "half-open"


def test_other_errors_say_nothing_about_the_server():
    clock = Clock()
    breaker = CircuitBreaker(failures=1, rest_s=10, clock=clock)
    with pytest.raises(KeyError), breaker.guard((OSError,)):
        raise KeyError
    assert breaker.state == "closed"
    fail(breaker)
    clock.now += 10
    with pytest.raises(KeyError), breaker.guard((OSError,)):
        raise KeyError
    assert breaker.state == "half-open"
    with breaker.guard((OSError,)):
        pass
    assert breaker.state == "closed"
