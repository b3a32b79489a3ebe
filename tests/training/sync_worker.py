"""One worker of a sync run, here or in a process of its own: it learns a straight line.

`python sync_worker.py PLACE NAME SEED [--slow S] …`; PLACE is a directory, or HOST:PORT with the
token in the environment. Prints its report as JSON. Without torch, which takes seconds to load.
"""

import argparse
import dataclasses
import json
import os
import time
from pathlib import Path

import anyio
import numpy as np

from training.sync.directory import Directory
from training.sync.outer import Outer
from training.sync.round import Rounds, Worker
from training.sync.sockets import Sockets

SIZE, LIMIT = 64, 1 << 20
TRUTH = np.sin(np.arange(SIZE)).astype(np.float32)


class Line:
    """A regression on data of its own by gradient descent; `slow` seconds a step."""

    def __init__(self, seed, *, slow=0.0, steps=10, seconds=0.0, size=SIZE):
        self.random = np.random.default_rng(seed)
        self.weights = self.random.standard_normal(size).astype(np.float32)
        self.slow, self.steps, self.seconds = slow, steps, seconds

    @property
    def layout(self):
        return [("line", self.weights.shape)]

    @property
    def error(self):
        return float(np.linalg.norm(self.weights - TRUTH) / np.linalg.norm(TRUTH))

    def read(self):
        return self.weights

    def write(self, vector):
        self.weights = vector

    def run(self, start, number, stop):
        weights, done, began = start.copy(), 0, time.monotonic()
        while done < self.steps and not stop():
            time.sleep(self.slow)
            x = self.random.standard_normal((256, SIZE)).astype(np.float32)
            weights -= np.float32(0.1) * (x.T @ (x @ (weights - TRUTH)) / 256)
            done += 1
            if self.seconds and time.monotonic() - began > self.seconds:
                break
        return start - weights, done


def rounds_of(count, workers, deadline_s, **more):
    """Dials for tests."""
    more = {"give_up_s": 120, "state_every": 3, "outer": Outer(0.9, 0.3)} | more
    return Rounds(count, workers, deadline_s=deadline_s, **more)


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
    host, _, port = given.place.partition(":")
    transport = (
        Sockets((host, int(port)), given.name, os.environ["SYNC_TOKEN"], patience_s=60)
        if port
        else Directory(Path(given.place), LIMIT)
    )
    line = Line(given.seed, slow=given.slow)
    dials = rounds_of(given.rounds, given.workers, given.deadline)
    report = anyio.run(Worker(given.name, line, transport, dials).run)
    print(json.dumps(dataclasses.asdict(report) | {"error": line.error}))  # noqa: T201 - for tests


if __name__ == "__main__":
    main()
