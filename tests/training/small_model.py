"""A model of a few thousand weights: what tests train."""

from tests.training.small_data import conversations, tokenizer
from training.model import Model, Shape

__all__ = ["conversations", "model", "shape", "tokenizer"]


def shape(vocab: int) -> Shape:
    return Shape(vocab=vocab, width=64, depth=2, heads=4, kv_heads=2, feed_forward=96, context=512)


def model(vocab: int) -> Model:
    return Model(shape(vocab))
