"""A circuit breaker: after several failures in a row, calls are held back for a while.

Guards a struggling server from being hammered. It does not retry and does not time out.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from hermes.errors import CircuitOpen

State = Literal["closed", "open", "half-open"]


class CircuitBreaker:
    """Opens after `failures` in a row; after `rest_s` lets one probe through.

    `clock` gives seconds that only grow.
    """

    def __init__(
        self,
        failures: int = 5,
        rest_s: float = 15.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = failures
        self._rest_s = rest_s
        self._clock = clock
        self._failed = 0
        self._opened_at = 0.0
        self._probing = False

    @property
    def state(self) -> State:
        """What would happen to a call now."""
        if self._failed < self._limit:
            return "closed"
        return "half-open" if self._left() <= 0 else "open"

    @contextmanager
    def guard(self, counted: tuple[type[Exception], ...]) -> Iterator[None]:
        """Run one call; raises CircuitOpen instead where the server must rest.

        Args:
            counted: the errors that say that the server is unwell. Anything else, also a
                cancelled call, says nothing about it.
        """
        probe = self._admit()
        try:
            yield
        except counted:
            self._failed += 1
            self._opened_at = self._clock()
            raise
        else:
            self._failed = 0
        finally:
            if probe:
                self._probing = False

    def _admit(self) -> bool:
        state = self.state
        if state == "closed":
            return False
        if state == "open" or self._probing:
            wait = f"the next try is possible in {max(1, round(self._left()))} s"
            raise CircuitOpen(f"the model's server failed {self._failed} times in a row", wait)
        self._probing = True
        return True

    def _left(self) -> float:
        return self._opened_at + self._rest_s - self._clock()
