"""The dial: `--size` sets width, depth, batch and learning rate; what a run will cost."""

from dataclasses import dataclass, replace

from hermes.errors import Usage
from training.model import Shape


@dataclass(frozen=True)
class Size:
    """A size of the dial: `tokens` a step, and the peak learning rate.

    `micro` tokens go through the model at once (0: all of a step); `checkpointing` recomputes
    activations, which saves their memory for a third more arithmetic.
    """

    name: str
    shape: Shape
    tokens: int
    rate: float
    micro: int = 0
    checkpointing: bool = False


def _shape(width: int, depth: int, heads: int, kv_heads: int, feed_forward: int) -> Shape:
    return Shape(
        width=width, depth=depth, heads=heads, kv_heads=kv_heads, feed_forward=feed_forward
    )


SIZES = {
    size.name: size
    for size in (
        Size("1m", _shape(128, 4, 4, 2, 320), 6_144, 4e-3),
        Size("3m", _shape(192, 6, 6, 3, 512), 12_288, 3e-3),
        Size("6m", _shape(256, 8, 8, 4, 704), 12_288, 3e-3),
        Size("10m", _shape(320, 8, 10, 5, 896), 12_288, 2.5e-3),
        Size("30m", _shape(512, 10, 8, 4, 1_408), 32_768, 1.5e-3, 16_384),
        Size("100m", _shape(768, 14, 12, 4, 2_048), 131_072, 8e-4, 16_384),
        Size("300m", _shape(1_024, 24, 16, 4, 2_816), 262_144, 5e-4, 16_384, checkpointing=True),
        Size("1b", _shape(2_048, 20, 32, 8, 5_632), 524_288, 3e-4, 8_192, checkpointing=True),
        Size("3b", _shape(3_072, 28, 24, 8, 8_192), 1_048_576, 2e-4, 4_096, checkpointing=True),
    )
}


def sized(name: str, vocab: int) -> Size:
    """A size with this vocabulary; Usage for a name that the dial lacks."""
    if name not in SIZES:
        raise Usage(f"no size {name!r}: choose one of {', '.join(SIZES)}")
    size = SIZES[name]
    return replace(size, shape=replace(size.shape, vocab=vocab))
