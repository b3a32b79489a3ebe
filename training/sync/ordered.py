"""From the options of `hermes train sync` to a worker or a hub."""

import argparse
from pathlib import Path

from hermes.errors import Usage
from training.gguf_weights import load_gguf
from training.materials import shard_of
from training.sizes import SIZES
from training.sync.aggregate import Guard
from training.sync.compress import Scheme
from training.sync.outer import Outer
from training.sync.roster import read_roster, worker_key
from training.sync.round import Rounds
from training.sync.start import MODEL, Options, serve, work

__all__ = ["MODEL", "options_of", "parameters_of", "read_roster", "serve", "work", "worker_key"]


def options_of(
    given: argparse.Namespace, data: tuple[Path, ...], out: Path, origin: Path | None, token: str
) -> Options:
    """What a worker is to do; JSON lines become a shard. Blocks; raises Usage, DataInvalid."""
    _check(given.size)
    rounds = _rounds(given)
    return Options(
        shard=shard_of(data, origin, out),
        place=given.at or "",
        worker=given.worker,
        out=out,
        rounds=rounds,
        origin=origin,
        size=given.size,
        token=token,
        inner_steps=given.inner_steps,
        inner_seconds=given.inner_seconds,
        rate=given.rate,
        length=given.length,
        rows=given.rows,
        seed=given.seed,
        device=given.device,
    )


def parameters_of(origin: Path | None, size: str) -> int:
    """How many weights the run's model has: it bounds what a hub takes. Blocks."""
    _check(size)
    model = load_gguf(origin).shape if origin else SIZES[size].shape
    return model.parameters()


def _check(size: str) -> None:
    if size not in SIZES:
        raise Usage(f"no size {size!r}", f"choose one of {', '.join(SIZES)}")


def _rounds(given: argparse.Namespace) -> Rounds:
    try:
        return Rounds(
            given.rounds,
            given.workers,
            quorum=given.quorum,
            deadline_s=given.deadline,
            scheme=Scheme(given.bits, given.keep),
            outer=Outer(given.outer_rate, given.outer_momentum),
            guard=Guard(trim=given.trim),
        )
    except ValueError as error:
        raise Usage(str(error)) from error
