"""One rank of a worker that is a torchrun group: `sync_group.py PLACE NAME OUT`."""

import json
import sys
from pathlib import Path

import anyio
import torch

from tests.training.sync_worker import LIMIT, rounds_of
from training.sync.directory import Directory
from training.sync.group import Group, enter_group, follow, leave_group
from training.sync.inner import Inner, Steps
from training.sync.round import Worker


def main():
    place, name, out = sys.argv[1:]
    rank, ranks = enter_group()
    model = torch.nn.Linear(4, 1)
    generator = torch.Generator().manual_seed(rank)

    def loss(_):
        x = torch.randn(16, 4, generator=generator)
        return torch.nn.functional.mse_loss(model(x)[:, 0], x.sum(1))

    inner = Inner(model, loss, Steps(5, lambda _: 0.01))
    if rank:
        follow(inner)
    else:
        with Group(inner) as group:
            it = Worker(name, group, Directory(Path(place), LIMIT), rounds_of(3, 2, 100))
            report = anyio.run(it.run)
        told = {
            "name": name,
            "digest": report.digest,
            "contributed": report.contributed,
            "ranks": ranks,
        }
        (Path(out) / f"{name}.json").write_text(json.dumps(told))
    leave_group()


if __name__ == "__main__":
    main()
