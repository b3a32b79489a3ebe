"""What moves the weights: Muon for the layers' matrices, AdamW for the rest; or AdamW for all.

Muon learns as much from half the tokens (measured, 3M, from scratch: see the model card). Both
are torch's own. Across devices it is AdamW: Muon needs whole matrices where each has a part.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import torch

from training.model import Model

BETAS = (0.9, 0.95)
DECAY = 0.01


class Muon:
    """Muon and AdamW as one optimiser; one learning rate does for both."""

    def __init__(self, model: Model, rate: float) -> None:
        named = list(model.named_parameters())
        matrices = [p for name, p in named if p.dim() > 1 and name.startswith("blk.")]
        others = [p for name, p in named if p.dim() < 2 or not name.startswith("blk.")]  # noqa: PLR2004 - norms
        self.matrices = torch.optim.Muon(
            matrices, lr=rate, weight_decay=DECAY, adjust_lr_fn="match_rms_adamw"
        )
        self.others = _adam(others, rate, fused=True)

    @property
    def param_groups(self) -> Iterator[dict[str, Any]]:
        """Where the learning rate is set."""
        return chain(self.matrices.param_groups, self.others.param_groups)

    def step(self) -> None:
        """Move every weight by its gradient."""
        self.matrices.step()
        self.others.step()

    def zero_grad(self, *, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        self.matrices.zero_grad(set_to_none=set_to_none)
        self.others.zero_grad(set_to_none=set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` goes on from."""
        return {"matrices": self.matrices.state_dict(), "others": self.others.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state; KeyError where it is AdamW's alone."""
        self.matrices.load_state_dict(state["matrices"])
        self.others.load_state_dict(state["others"])


def make_optimizer(model: Model, rate: float, *, several: bool, muon: bool) -> Any:  # noqa: ANN401 - torch's
    """The optimiser of a run; on several devices AdamW."""
    if muon and not several:
        return Muon(model, rate)
    return _adam(list(model.parameters()), rate, fused=not several)


def _adam(weights: list[Any], rate: float, *, fused: bool) -> Any:  # noqa: ANN401 - torch's
    return torch.optim.AdamW(weights, lr=rate, betas=BETAS, weight_decay=DECAY, fused=fused)
