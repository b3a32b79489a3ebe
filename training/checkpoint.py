"""Checkpoints: whole or not there, and the one before until then.

They are read with torch's safe loader: a hostile file can't run code, only be refused.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from hermes.errors import TrainingError, WeightsInvalid
from training.model import Shape
from training.whole import REMEDY, write_whole

_VERSION = 1


@dataclass
class Progress:
    """Where a run is: `step` of all, `begun` the step at which the present phase began."""

    step: int = 0
    phase: int = 0
    begun: int = 0
    tokens: int = 0
    seconds: float = 0.0
    loss: float = 0.0


@dataclass(frozen=True)
class Checkpoint:
    """A run's whole state; `bf16` is the precision that it began with."""

    shape: Shape
    weights: dict[str, Any]
    optimizer: dict[str, Any]
    progress: Progress
    tokenizer: str
    random: torch.Tensor
    bf16: bool | None = None


def save(path: Path, state: Checkpoint) -> None:
    """Write a checkpoint; where that fails (TrainingError) the one before is still in its place."""
    given = {
        "version": _VERSION,
        "shape": asdict(state.shape),
        "weights": state.weights,
        "optimizer": state.optimizer,
        "progress": asdict(state.progress),
        "tokenizer": state.tokenizer,
        "random": state.random,
        "bf16": state.bf16,
    }
    try:
        write_whole(path, lambda beside: torch.save(given, beside))
    except RuntimeError as error:  # so torch's writer says that the disk is full
        raise TrainingError(f"{path} cannot be written: {error}", REMEDY) from error


def load(path: Path) -> Checkpoint:
    """Read a checkpoint; raises WeightsInvalid naming the file where it is none or is damaged."""
    try:
        given = torch.load(path, map_location="cpu", weights_only=True)
        _check(given["version"])
        return Checkpoint(
            shape=Shape(**given["shape"]),
            weights=given["weights"],
            optimizer=given["optimizer"],
            progress=Progress(**given["progress"]),
            tokenizer=given["tokenizer"],
            random=given["random"],
            bf16=given.get("bf16"),
        )
    except (
        OSError,
        RuntimeError,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        UnpicklingError,
    ) as error:
        raise WeightsInvalid(f"{path} is no checkpoint that can be read: {error}") from error


def _check(version: object) -> None:
    if version != _VERSION:
        raise ValueError(f"version {version}, not {_VERSION}")
