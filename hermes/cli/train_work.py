"""How the verbs of `hermes train` reach the training runtime: missing libraries, long work.

Training blocks, so it runs in a thread; asked to end, it saves what it has and stops.
"""

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Protocol, TypeVar

import anyio
import anyio.to_thread

from hermes.cli.world import World
from hermes.errors import NotAvailable, TrainingError, Usage
from hermes.load import Part, load
from hermes.models.gguf import shipped_model

EMBER = "ember"
REMEDY = "make train-setup, or: pip install 'hermes-v2[train]'"
_INTERRUPTED = 130
_CHECKPOINT = "checkpoint.pt"

T = TypeVar("T")


class Stoppable(Protocol):
    """A trainer: it looks at `stop` after each step."""

    stop: bool


Begin = Callable[[Callable[[Stoppable], None]], T]


async def part(name: Part) -> ModuleType:
    """Load a part of the training runtime; raises NotAvailable with the remedy."""
    try:
        return await anyio.to_thread.run_sync(load, name)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in {"hermes", "training", ""}:
            raise
        raise NotAvailable(f"this needs {missing}, which is not installed", REMEDY) from error


async def blocking(out: Path, work: Callable[[], T]) -> T:
    """Run blocking work that writes below `out`; what the disk refuses names it (TrainingError)."""
    try:
        return await anyio.to_thread.run_sync(work)
    except OSError as error:
        why = f"{error.strerror or error}" + (f" ({error.filename})" if error.filename else "")
        remedy = "make room or name another --out; a run goes on with --resume"
        raise TrainingError(f"{out} cannot be written: {why}", remedy) from error


async def long_work(out: Path, begin: Begin[T], world: World) -> T:
    """Run blocking work that hands over its trainer; a Ctrl-C lets it save and end.

    A second one ends it at once: files are replaced whole, so the last checkpoint stays.
    """
    stop = _Stop(world)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stop.when_cancelled)
        tasks.start_soon(stop.when_asked)
        done = await blocking(out, partial(begin, stop.watch))
        tasks.cancel_scope.cancel()
    return done


class _Stop:
    """Passes on the wish to end, which may be there before the trainer is."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._asked = False
        self._trainer: Stoppable | None = None

    def watch(self, trainer: Stoppable) -> None:
        self._trainer = trainer
        trainer.stop = trainer.stop or self._asked

    async def when_cancelled(self) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            self._ask()

    async def when_asked(self) -> None:
        with anyio.open_signal_receiver(signal.SIGINT) as signals:
            async for _ in signals:
                if self._asked:
                    os._exit(_INTERRUPTED)
                self._world.note("\nsaves and ends; again: ends at once")
                self._ask()

    def _ask(self) -> None:
        self._asked = True
        if self._trainer is not None:
            self._trainer.stop = True


def place(path: Path, world: World) -> Path:
    """A path as the person means it: from where they stand, `~` for their home."""
    text = str(path)
    return world.home / text[2:] if text.startswith("~/") else world.cwd / path


def places(paths: list[Path], world: World) -> tuple[Path, ...]:
    """Several of them."""
    return tuple(place(path, world) for path in paths)


def model_place(name: str, world: World) -> Path:
    """The file or directory of a model; `ember` is the one that ships."""
    return shipped_model() if name == EMBER else place(Path(name), world)


def check_out(out: Path, *, resume: bool) -> None:
    """Refuse to write over a run unless it goes on; raises Usage."""
    if (out / _CHECKPOINT).exists() and not resume:
        raise Usage(f"{out} holds a run already", "go on with --resume, or name another --out")
    if out.exists() and not out.is_dir():
        raise Usage(f"{out} is no directory", "name another --out")
