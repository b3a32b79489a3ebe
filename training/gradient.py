"""The gradient of one step: in pieces that fit into memory, over one device or several."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.dataset import Batch
from training.device import lower_precision
from training.model import IGNORED, Model, loss_of
from training.sharding import Group


class Gradient:
    """Adds up gradients of a batch in a model's weights.

    `micro` tokens go through the model at once (0: all). Under FSDP every process takes its
    own rows. The mean is over the loss tokens of all: neither pieces nor processes change what
    is learnt.
    """

    def __init__(
        self, model: Model, group: Group, *, micro: int, bf16: bool, compiled: bool
    ) -> None:
        self._model, self._group, self._micro, self.bf16 = model, group, micro, bf16
        self._device = model.cos.device
        self._hidden: Callable[..., Tensor] = model.hidden
        if compiled and not group.several:
            self._hidden = torch.compile(model.hidden, dynamic=False)

    def add(self, batch: Batch, *, masked: bool) -> float:
        """Backward through the batch; returns the mean loss over its loss tokens."""
        tokens, targets = self._mine(batch.tokens), self._mine(batch.targets)
        documents = self._mine(batch.documents)
        count = max(1, int((batch.targets != IGNORED).sum()))
        rows = max(1, self._micro // tokens.size(1)) if self._micro else tokens.size(0)
        lost = torch.zeros((), device=self._device)
        for at in range(0, tokens.size(0), rows):
            part = slice(at, at + rows)
            with lower_precision(self._device, on=self.bf16):
                hidden = self._hidden(tokens[part], documents[part] if masked else None)
                loss = loss_of(hidden, self._model.head, targets[part], count)
            (loss * self._group.processes).backward()  # FSDP takes the mean over processes
            lost += loss.detach()
        return float(self._group.sum(lost))

    def _mine(self, values: NDArray[np.int64]) -> Tensor:
        rows = torch.from_numpy(values)[self._group.rank :: self._group.processes]
        return rows.to(self._device)
