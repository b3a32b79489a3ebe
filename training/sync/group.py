"""A worker that is several processes under torchrun: inside, torch.distributed does the work.

Rank 0 is the worker that others know; the other ranks follow it round by round. Each rank reads
other batches, and the gradients of every step are averaged (`inner`).
"""

from datetime import timedelta
from types import TracebackType
from typing import Self

import torch
from torch import distributed

from training.sync.inner import Inner
from training.sync.quantise import Values
from training.sync.round import Stop

_PATIENCE = timedelta(days=7)  # ranks wait for rank 0, and it for workers elsewhere
_OVER = -1


def enter_group() -> tuple[int, int]:
    """Join the group that torchrun made, if it made one; rank and size."""
    if not distributed.is_torchelastic_launched():
        return 0, 1
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(backend, timeout=_PATIENCE)
    return distributed.get_rank(), distributed.get_world_size()


def leave_group() -> None:
    """End what `enter_group` began."""
    if distributed.is_initialized():
        distributed.barrier()  # nobody goes while another still talks: gloo aborts then
        distributed.destroy_process_group()


class Group:
    """Rank 0's side, in the place of an `Inner`; leaving it lets the followers go."""

    def __init__(self, inner: Inner) -> None:
        self._inner = inner

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:  # after an error the others may be in the middle of a step
            self._say(_OVER)

    @property
    def layout(self) -> list[tuple[str, tuple[int, ...]]]:
        """Names and shapes of the parameters."""
        return self._inner.layout

    def read(self) -> Values:
        """The weights to begin with."""
        return self._inner.read()

    def write(self, vector: Values) -> None:
        """Take these weights."""
        self._inner.write(vector)

    def run(self, start: Values, number: int, stop: Stop) -> tuple[Values, int]:
        """A round, by the whole group."""
        self._say(number)
        distributed.broadcast(torch.from_numpy(start.copy()), 0)
        return self._inner.run(start, number, stop)

    def _say(self, number: int) -> None:
        distributed.broadcast(torch.tensor(number), 0)


def follow(inner: Inner) -> None:
    """Train what rank 0 says until it is over."""
    number = torch.tensor(0)
    weights = torch.from_numpy(inner.read())
    while True:
        distributed.broadcast(number, 0)
        if int(number) == _OVER:
            return
        distributed.broadcast(weights, 0)
        inner.run(weights.numpy().copy(), int(number), lambda: False)
