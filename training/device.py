"""What this machine computes with: the device, and whether bf16 pays, by one timed step."""

import time
from contextlib import AbstractContextManager

import torch

from training.model import Model, loss_of


def pick_device(wanted: str = "") -> torch.device:
    """The named device, or CUDA where there is one, or the CPU."""
    return torch.device(wanted or ("cuda" if torch.cuda.is_available() else "cpu"))


def lower_precision(device: torch.device, *, on: bool) -> AbstractContextManager[object]:
    """Products in bf16, sums and weights in fp32; nothing where `on` is false."""
    return torch.autocast(device.type, torch.bfloat16, enabled=on)


def bf16_pays(model: Model, rows: int, length: int) -> bool:
    """Time a forward and backward step each way (without bf16 in silicon it is 6 times slower)."""
    device = next(model.parameters()).device
    tokens = torch.randint(0, model.shape.vocab, (max(1, rows), length), device=device)
    taken = {on: min(_timed(model, tokens, on=on) for _ in range(2)) for on in (False, True)}
    return taken[True] < taken[False]


def _timed(model: Model, tokens: torch.Tensor, *, on: bool) -> float:
    synchronise(tokens.device)
    begun = time.perf_counter()
    with lower_precision(tokens.device, on=on):
        loss = loss_of(model.hidden(tokens), model.head, tokens)
    loss.backward()
    synchronise(tokens.device)
    model.zero_grad(set_to_none=True)
    return time.perf_counter() - begun


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
