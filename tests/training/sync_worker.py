"""One worker of a sync run in a process of its own: it learns a straight line.

`python sync_worker.py PLACE NAME SEED [--slow S] [--rounds N] [--deadline S] [--ended FILE]`;
PLACE is a directory, or HOST:PORT with the token in the environment. Prints its report as JSON.
"""

import argparse
import dataclasses
import json
import os
import time
from pathlib import Path

import anyio
import torch

from training.sync.directory import Directory
from training.sync.inner import Inner, Steps
from training.sync.outer import Outer
from training.sync.round import Rounds, Worker
from training.sync.sockets import Sockets

SIZE, LIMIT = 64, 1 << 20


def line(seed, slow, steps):
    """A regression on data of its own; `slow` seconds a step."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    model = torch.nn.Linear(SIZE, 1)
    truth = torch.sin(torch.arange(SIZE).float())

    def loss(_):
        if slow:
            time.sleep(slow)
        x = torch.randn(32, SIZE, generator=generator)
        return torch.nn.functional.mse_loss(model(x)[:, 0], x @ truth)

    return Inner(model, loss, Steps(steps, lambda _: 0.02)), model, truth


def rounds_of(count, workers, deadline_s, state_every=3):
    """Dials for tests."""
    return Rounds(
        count,
        workers,
        deadline_s=deadline_s,
        give_up_s=40,
        state_every=state_every,
        outer=Outer(0.9, 0.3),
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("place")
    parser.add_argument("name")
    parser.add_argument("seed", type=int)
    parser.add_argument("--slow", type=float, default=0)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--deadline", type=float, default=15)
    given = parser.parse_args()
    torch.set_num_threads(1)
    host, _, port = given.place.partition(":")
    transport = (
        Sockets((host, int(port)), given.name, os.environ["SYNC_TOKEN"], patience_s=20)
        if port
        else Directory(Path(given.place), LIMIT)
    )
    inner, model, truth = line(given.seed, given.slow, 10)
    dials = rounds_of(given.rounds, given.workers, given.deadline)
    report = anyio.run(Worker(given.name, inner, transport, dials).run)
    error = float((model.weight[0] - truth).norm().detach() / truth.norm())
    print(json.dumps(dataclasses.asdict(report) | {"error": error}))  # noqa: T201 - read by tests


if __name__ == "__main__":
    main()
