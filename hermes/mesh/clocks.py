"""How far the members' clocks are from ours, as far as their letters show it.

A letter from the future shows it at once; one from the past only when it came live, for others
may have waited somewhere. Does not set a clock, nor say which of the two is right.
"""

TOLD_MS = 20_000
"""Less than this is no difference: a live letter, good for 30 s, may be under way for as long."""
_MINUTES_MS = 120_000


class Clocks:
    """By member; fed with what was signed by it."""

    def __init__(self) -> None:
        self._apart: dict[str, int] = {}

    def heard(self, sender: str, issued_at: int, now: int, *, live: bool) -> None:
        """A letter came; times in ms."""
        apart = issued_at - now
        if live or apart > 0:
            self._apart[sender] = apart

    def apart(self, node: str) -> int:
        """Milliseconds that a member's clock is ahead of ours; 0: no difference to speak of."""
        found = self._apart.get(node, 0)
        return found if abs(found) >= TOLD_MS else 0

    def all(self) -> dict[str, int]:
        """Those whose clocks differ, by how much."""
        return {node: self.apart(node) for node in self._apart if self.apart(node)}


def words(apart_ms: int) -> str:
    """How far, for people."""
    way = "ahead of" if apart_ms > 0 else "behind"
    return f"its clock is {span(abs(apart_ms))} {way} ours"


def span(ms: int) -> str:
    """A length of time, for people."""
    return f"{round(ms / 60_000)} min" if ms >= _MINUTES_MS else f"{ms // 1_000} s"
