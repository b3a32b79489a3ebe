"""What one turn may use. Reaching a limit ends the run with a clear message, never a crash."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import anyio

from hermes.config import Limits
from hermes.core.message import ToolCall
from hermes.core.model import ModelUsage
from hermes.errors import TurnLimitReached


class Meter:
    """Counts one turn's steps, tokens, identical calls and wall time."""

    def __init__(self, limits: Limits, max_steps: int = 0) -> None:
        self._limits = limits
        self._max_steps = min(max_steps or limits.steps, limits.steps)
        self._calls: Counter[tuple[str, str]] = Counter()
        self._tokens = 0
        self._scope: anyio.CancelScope | None = None
        self._people = 0  # approvals that wait
        self._left = 0.0
        self.steps = 0

    @contextmanager
    def wall(self) -> Iterator[None]:
        """Bound the wall time of what runs inside; raises TurnLimitReached."""
        with anyio.move_on_after(self._limits.wall_s) as self._scope:
            yield
        if self._scope.cancelled_caught:
            raise TurnLimitReached(
                f"the turn took longer than {self._limits.wall_s:g} s",
                "ask again in smaller steps, or raise limits.wall_s",
            )

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Stop the wall clock while a person decides."""
        assert self._scope is not None, "waits inside wall"
        if not self._people:
            self._left = self._scope.deadline - anyio.current_time()
            self._scope.deadline = math.inf
        self._people += 1
        try:
            yield
        finally:
            self._people -= 1
            if not self._people:  # several that wait at once stop one clock
                self._scope.deadline = anyio.current_time() + self._left

    def step(self) -> None:
        """Count a model call; raises TurnLimitReached."""
        if self.steps >= self._max_steps:
            raise TurnLimitReached(
                f"the turn used its {self._max_steps} steps",
                "say 'go on' to continue, or raise --max-steps",
            )
        self.steps += 1

    def spend(self, usage: ModelUsage) -> None:
        """Count generated and newly evaluated tokens; raises TurnLimitReached."""
        self._tokens += usage.completion + max(0, usage.prompt - usage.cached)
        if self._tokens > self._limits.tokens:
            raise TurnLimitReached(
                f"the turn used {self._tokens} tokens of {self._limits.tokens}",
                "ask again in smaller steps, or raise limits.tokens",
            )

    def calls(self, calls: Sequence[ToolCall]) -> None:
        """Count identical calls; raises TurnLimitReached before one runs too often."""
        self._calls.update((call.name, call.arguments) for call in calls)
        for (name, arguments), count in self._calls.items():
            if count > self._limits.repeats:
                raise TurnLimitReached(
                    f"the model asked {count} times for the same call: {name} {arguments[:200]}",
                    "say what it should do instead",
                )
