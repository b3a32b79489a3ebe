"""What the relay counts, and how it is shown: Prometheus' text form, for this machine only."""

from collections import Counter

_PREFIX = "hermes_relay"


class Counters:
    """Plain numbers; the event loop's thread writes them."""

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        """Events by what became of them: stored, live, duplicate, or why they were refused."""
        self.queries: Counter[str] = Counter()
        """Filters by what became of them."""
        self.connections = 0
        self.open = 0
        self.turned_away: Counter[str] = Counter()
        self.commit_s = 0.0
        self.largest_commit_s = 0.0

    def committed(self, seconds: float) -> None:
        """An event went to the disk in so many seconds."""
        self.commit_s += seconds
        self.largest_commit_s = max(self.largest_commit_s, seconds)

    def text(self, count: int, size: int) -> str:
        """The metrics, with how many events are stored and their bytes."""
        gauges = (
            ("stored_events", count),
            ("stored_bytes", size),
            ("connections_open", self.open),
            ("connections_total", self.connections),
            ("commit_seconds_total", round(self.commit_s, 6)),
            ("commit_seconds_largest", round(self.largest_commit_s, 6)),
        )
        lines = [f"{_PREFIX}_{name} {value}" for name, value in gauges]
        lines += _labelled("events_total", self.events)
        lines += _labelled("queries_total", self.queries)
        lines += _labelled("turned_away_total", self.turned_away)
        return "\n".join(lines) + "\n"


def _labelled(name: str, counter: Counter[str]) -> list[str]:
    return [f'{_PREFIX}_{name}{{outcome="{key}"}} {counter[key]}' for key in sorted(counter)]
