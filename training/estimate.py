"""What a size costs on this machine: parameters, memory, tokens a second, hours.

The speed is measured, not looked up: one step of a model of one layer and of two; their
difference is a layer's cost. So the largest size can be estimated where it would never fit.
"""

import os
import time
from dataclasses import dataclass, replace

import torch

from training.device import bf16_pays, lower_precision, pick_device, synchronise
from training.model import Model, loss_of
from training.sizes import Size, sized

_ROW = 256
_SAMPLE = 1_024  # tokens of a timed step
_TOKENS_PER_PARAMETER = 20  # Hoffmann et al. 2022, arXiv:2203.15556
_STATE_BYTES = 16  # weight, gradient and two moments, each fp32
_GIB = 1 << 30


@dataclass(frozen=True)
class Estimate:
    """A size's costs; bytes, tokens, tokens a second. `enough` tokens make good use of it."""

    size: Size
    bf16: bool
    state: int
    activations: int
    present: int
    speed: float
    enough: int

    @property
    def hours(self) -> float:
        """Hours for `enough` tokens."""
        return self.enough / self.speed / 3600

    @property
    def fits(self) -> bool:
        """Whether the machine's memory holds it."""
        return self.state + self.activations < self.present

    def text(self) -> str:
        """For a person."""
        shape = self.size.shape
        wanted = (self.state + self.activations) / _GIB
        verdict = "fits" if self.fits else "does NOT fit: a smaller size, or more devices"
        layers = f"{shape.depth} layers of {shape.width}"
        kind, seconds = "bf16" if self.bf16 else "fp32", self.size.tokens / self.speed
        return f"""\
size         {self.size.name}: {shape.parameters() / 1e6:,.1f} M parameters ({layers})
memory       {wanted:.1f} GiB of {self.present / _GIB:.1f}: {verdict}
a step       {self.size.tokens:,} tokens, {kind}, {seconds:,.1f} s
speed        {self.speed:,.0f} tokens/s before compiling (timed layer by layer)
enough data  {self.enough / 1e6:,.0f} M tokens: {self.hours:,.1f} hours"""


def estimate(size: Size, device: torch.device) -> Estimate:
    """Time small models of this width on the device, and reckon."""
    one, two = (Model(replace(size.shape, depth=depth)).to(device) for depth in (1, 2))
    bf16 = bf16_pays(one, _SAMPLE // _ROW, _ROW)
    first, second = _seconds(one, bf16=bf16), _seconds(two, bf16=bf16)
    layer = max(second - first, first / 10)
    again = 4 / 3 if size.checkpointing else 1
    step = first + again * layer * (size.shape.depth - 1)
    return Estimate(
        size=size,
        bf16=bf16,
        state=_STATE_BYTES * size.shape.parameters(),
        activations=_activations(size, 2 if bf16 else 4),
        present=_memory(device),
        speed=_SAMPLE / step,
        enough=_TOKENS_PER_PARAMETER * size.shape.parameters(),
    )


def estimate_named(name: str, vocabulary: int, device: str = "") -> Estimate:
    """Estimate a size of the dial; ValueError for a name that it lacks."""
    return estimate(sized(name, vocabulary), pick_device(device))


def _seconds(model: Model, *, bf16: bool) -> float:
    device = model.cos.device
    tokens = torch.zeros((_SAMPLE // _ROW, _ROW), dtype=torch.long, device=device)
    best = float("inf")
    for _ in range(2):
        synchronise(device)
        begun = time.perf_counter()
        with lower_precision(device, on=bf16):
            loss = loss_of(model.hidden(tokens), model.head, tokens)
        loss.backward()
        synchronise(device)
        best = min(best, time.perf_counter() - begun)
        model.zero_grad(set_to_none=True)
    return best


def _activations(size: Size, width: int) -> int:
    """Bytes that wait for the backward pass: what each product and each activation keeps."""
    shape = size.shape
    tokens = size.micro or size.tokens
    layer = 10 * shape.width + 4 * shape.feed_forward
    kept = shape.width * shape.depth + layer if size.checkpointing else layer * shape.depth
    return tokens * (width * kept + 3 * 4 * shape.vocab)


def _memory(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
