"""The endpoint as a process of its own, and what its log says."""

import contextlib
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]


class Asked(NamedTuple):
    """One request to the model: seconds since the epoch, bytes, the tools it was told to call."""

    at: float
    done: float
    size: int
    system: int
    tools: int
    tools_size: int
    calls: list[str]
    messages: int


class Service(NamedTuple):
    """A running endpoint."""

    url: str
    log: Path

    def asked(self, since: float = 0.0) -> list[Asked]:
        """The requests that came after this instant, oldest first."""
        lines = self.log.read_text().splitlines()
        every = (Asked(**json.loads(line)) for line in lines)
        return sorted(one for one in every if one.at >= since)


def gaps_ms(asked: list[Asked]) -> list[float]:
    """Milliseconds from the end of each reply that asked for tools to the next request."""
    # Some peers also ask for a title: those requests carry no tools.
    main = [one for one in asked if one.tools]
    return [(b.at - a.done) * 1000 for a, b in itertools.pairwise(main) if a.calls]


@contextlib.contextmanager
def serve() -> Iterator[Service]:
    """Run an endpoint for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="hb-") as place:
        log = Path(place) / "requests.jsonl"
        log.touch()
        child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.peers.endpoint", str(log)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            port = int(child.stdout.readline())
            yield Service(f"http://127.0.0.1:{port}/v1", log)
        finally:
            child.stdin.close()
            child.wait(5)
            child.stdout.close()
