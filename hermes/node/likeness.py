"""Opens the vectors of memories where the settings want them; a chat without pays nothing."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import anyio.to_thread
from anyio.abc import TaskGroup

from hermes.config import Settings
from hermes.core.clock import Clock
from hermes.errors import HermesError
from hermes.load import load
from hermes.memory.recall import Likeness
from hermes.store.store import Store

Reporter = Callable[[str, BaseException], None]


@asynccontextmanager
async def open_likeness(
    settings: Settings, store: Store, clock: Clock, report: Reporter, tasks: TaskGroup
) -> AsyncGenerator[Likeness | None]:
    """Open the vectors and keep them up to date aside; None where there are none.

    What is missing on this machine is reported, and memories are found by their words alone.
    """
    wanted = settings.memory
    if not wanted.vectors:
        yield None
        return
    try:
        part = await anyio.to_thread.run_sync(load, "likeness")
        embedder = part.embedder_of(wanted.embedder, settings.model, settings.api_key)
        index = part.index_of(wanted.vectors, settings.data_dir)
    except HermesError as error:
        report("vectors of memories", error)
        yield None
        return
    async with part.Vectors(store.likely, clock, embedder, index, report) as vectors:
        tasks.start_soon(vectors.keep)
        yield vectors
