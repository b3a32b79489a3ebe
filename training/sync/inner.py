"""What one worker does alone in a round: H steps of AdamW from the shared weights.

A worker may be a group under torchrun: torch.distributed averages the gradients of each step
within the group, and its rank 0 alone speaks to the transport.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, distributed, nn

from training.sync.quantise import Values
from training.sync.round import Stop

Loss = Callable[[int], Tensor]
"""The loss of this worker's batch at a step, counted over all rounds."""


@dataclass(frozen=True)
class Steps:
    """How a round is trained.

    Args:
        count: inner steps a round.
        rate: the learning rate at a step, counted over all rounds.
        seconds: a slow worker sends what it has after this long; 0: no limit.
        clip: the largest norm of a step's gradient.
    """

    count: int = 50
    rate: Callable[[int], float] = lambda _: 1e-3
    seconds: float = 0.0
    clip: float = 1.0


class Inner:
    """A model that trains on its own; the optimizer's moments stay with the worker."""

    def __init__(self, model: nn.Module, loss: Loss, steps: Steps) -> None:
        self._model, self._loss, self.steps = model, loss, steps
        self._weights = [weight for _, weight in model.named_parameters()]
        self.optimizer = torch.optim.AdamW(self._weights, lr=0.0, betas=(0.9, 0.95))

    @property
    def layout(self) -> list[tuple[str, tuple[int, ...]]]:
        """Names and shapes of the parameters, in order."""
        return [(name, tuple(one.shape)) for name, one in self._model.named_parameters()]

    def read(self) -> Values:
        """The model's weights as one vector."""
        flat = [weight.detach().float().cpu().reshape(-1) for weight in self._weights]
        return torch.cat(flat).numpy()

    def write(self, vector: Values) -> None:
        """Give the model these weights."""
        whole, at = torch.from_numpy(vector), 0
        with torch.no_grad():
            for weight in self._weights:
                weight.copy_(whole[at : at + weight.numel()].view_as(weight))
                at += weight.numel()

    def run(self, start: Values, number: int, stop: Stop) -> tuple[Values, int]:
        """Train a round from `start`; what changed (start minus end) and the steps done."""
        self.write(start)
        began, done = time.monotonic(), 0
        while done < self.steps.count and not _any(stop()):
            self._step(number * self.steps.count + done)
            done += 1
            if self.steps.seconds and _any(time.monotonic() - began > self.steps.seconds):
                break
        return np.asarray(start - self.read(), np.float32), done

    def _step(self, step: int) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.steps.rate(step)
        torch.autograd.backward(self._loss(step))
        if distributed.is_initialized():
            for weight in self._weights:
                if weight.grad is not None:
                    distributed.all_reduce(weight.grad)
                    weight.grad /= distributed.get_world_size()
        nn.utils.clip_grad_norm_(self._weights, self.steps.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()


def _any(here: bool) -> bool:  # noqa: FBT001 - a group must decide as one
    if not distributed.is_initialized():
        return here
    told = torch.tensor(float(here))
    distributed.all_reduce(told)
    return bool(told > 0)
