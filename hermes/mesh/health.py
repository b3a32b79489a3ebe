"""How a relay has been doing: a score, and how long it is left alone after a failure. Pure."""

import msgspec

FIRST_MS, MOST_MS = 1_000, 300_000
_WEIGHT = 0.2
_SLOW_MS = 2_000.0


class Health(msgspec.Struct, frozen=True):
    """One relay's record; `score` 0 to 1, times in ms."""

    score: float = 0.5
    latency_ms: float = 200.0
    failures: int = 0
    wait_until: int = 0
    reason: str = ""

    def usable(self, now: int) -> bool:
        """Whether it is worth another try."""
        # It is never left alone for longer: then the clock was set back meanwhile.
        return now >= self.wait_until or now < self.wait_until - MOST_MS

    def went(self, latency_ms: float) -> "Health":
        """It did what it was asked."""
        return Health(
            score=self.score + (1 - self.score) * _WEIGHT,
            latency_ms=self.latency_ms + (latency_ms - self.latency_ms) * _WEIGHT,
        )

    def refused(self, reason: str) -> "Health":
        """It answered, with a no: it is up, but of less use."""
        less = self.score * (1 - _WEIGHT / 2)
        return Health(less, self.latency_ms, reason=reason)

    def failed(self, now: int, reason: str) -> "Health":
        """It did not answer: left alone for twice as long each time, five minutes at most.

        What fails while it is left alone was under way before: several letters that one line
        took with it are one failure.
        """
        if not self.usable(now):
            return self
        wait = min(FIRST_MS << min(self.failures, 16), MOST_MS)
        return Health(
            score=self.score * (1 - _WEIGHT),
            latency_ms=self.latency_ms,
            failures=self.failures + 1,
            wait_until=now + wait,
            reason=reason,
        )

    def back(self) -> "Health":
        """It was heard again, by another line: whatever it is left alone for is over."""
        return msgspec.structs.replace(self, failures=0, wait_until=0)

    def quality(self, now: int) -> float:
        """What it is good for just now, 0 to 1: reliable first, then quick."""
        if not self.usable(now):
            return 0.0
        return self.score * _SLOW_MS / (_SLOW_MS + self.latency_ms)
