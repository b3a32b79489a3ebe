"""What all workers agree on after a round: weights, momentum, and the terms of the run.

Weights are one float32 vector in the order of the model's parameters. Apart because its digest
is what workers compare, and its bytes are what a worker that returns begins with.
"""

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hermes.errors import SyncRefused
from training.sync.compress import DIGEST
from training.sync.quantise import Values

_MAGIC = b"HSTA"
_VERSION = 1
_HEADER = struct.Struct("<4sB?xxIQ16s")  # with momentum, round, size, terms


@dataclass(frozen=True)
class State:
    """The weights before round `round`; `terms` is a digest of layout and settings."""

    round: int
    weights: Values
    momentum: Values | None
    terms: bytes

    @cached_property
    def digest(self) -> bytes:
        """What tells two states apart."""
        return pack_state(self)[-DIGEST:]


def terms_of(layout: Iterable[tuple[str, tuple[int, ...]]], settings: object) -> bytes:
    """A digest of names and shapes of the parameters, and of what all workers must share."""
    text = repr((list(layout), settings))
    return hashlib.blake2b(text.encode(), digest_size=DIGEST).digest()


def largest_state(size: int) -> int:
    """The most bytes that a state of `size` weights can have."""
    return _HEADER.size + 8 * size + DIGEST


def pack_state(state: State) -> bytes:
    """A state as bytes."""
    with_momentum = state.momentum is not None
    size = len(state.weights)
    parts = [_HEADER.pack(_MAGIC, _VERSION, with_momentum, state.round, size, state.terms)]
    parts.append(state.weights.astype("<f4").tobytes())
    if state.momentum is not None:
        parts.append(state.momentum.astype("<f4").tobytes())
    whole = b"".join(parts)
    return whole + hashlib.blake2b(whole, digest_size=DIGEST).digest()


def unpack_state(data: bytes, size: int, terms: bytes) -> State:
    """Read a state of this run; SyncRefused where it is damaged or another run's."""
    if len(data) < _HEADER.size + DIGEST:
        raise SyncRefused("the state is too short to be one")
    magic, version, with_momentum, number, told, told_terms = _HEADER.unpack_from(data)
    if magic != _MAGIC or version != _VERSION:
        raise SyncRefused(f"the state is none of version {_VERSION}")
    if hashlib.blake2b(data[:-DIGEST], digest_size=DIGEST).digest() != data[-DIGEST:]:
        raise SyncRefused("the state is damaged: its checksum is off")
    if told != size or told_terms != terms:
        raise SyncRefused(
            f"the run there trains another model ({told} weights, here {size}) or has other terms",
            "give every worker the same model, outer settings and guards, or a new place",
        )
    if len(data) != _HEADER.size + 4 * size * (2 if with_momentum else 1) + DIGEST:
        raise SyncRefused("the state has another length than it says")
    vectors = np.frombuffer(data[_HEADER.size : -DIGEST], "<f4").astype(np.float32)
    if not np.all(np.isfinite(vectors)):
        raise SyncRefused("the state's weights are no numbers")
    momentum = vectors[size:] if with_momentum else None
    return State(number, vectors[:size], momentum, terms)
