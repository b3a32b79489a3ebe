"""A worker of a mesh run as a process of its own; it learns a straight line, without torch.

`python mesh_worker.py ROSTER NAME KEY HOME ROUNDS`; prints each round that it begins, then its
report as JSON.
"""

import dataclasses
import json
import sys
from pathlib import Path

import anyio

from hermes.identity.hot import HotKey
from tests.training.sync_worker import LIMIT, Line, rounds_of
from training.sync.meeting import meeting
from training.sync.roster import read_roster
from training.sync.round import Worker


class Told(Line):
    """Says which round it is in."""

    def run(self, start, number, stop):
        print(f"round {number}", flush=True)  # noqa: T201 - for the test
        return super().run(start, number, stop)


def told(part, error):
    print(f"{part}: {error!r}", file=sys.stderr)  # noqa: T201 - for the test


async def main(roster, name, key, home, rounds):
    line = Told(int(name[1:]), slow=0.03)
    dials = rounds_of(rounds, 3, 1.0)
    times = {"beat_s": 0.2, "silence_s": 5.0, "patience_s": 60.0}
    async with meeting(roster, name, key, home, LIMIT, told, **times) as transport:
        report = await Worker(name, line, transport, dials).run()
    print(json.dumps(dataclasses.asdict(report) | {"error": line.error}))  # noqa: T201 - for the test


if __name__ == "__main__":
    given = sys.argv[1:]
    anyio.run(
        main,
        read_roster(Path(given[0])),
        given[1],
        HotKey(bytes.fromhex(given[2])),
        Path(given[3]),
        int(given[4]),
    )
