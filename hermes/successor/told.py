"""A box that has started its program already and waits on its standard input; told once."""

import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import anyio

from hermes.core.task_groups import tasks_beside
from hermes.sandbox.box import Box, Ended, Wires
from hermes.sandbox.standing import Standing, run

Told = Callable[[bytes], Awaitable[Ended]]
"""Gives it all of its input, and waits for its end; once."""


@asynccontextmanager
async def waiting(standing: Standing, box: Box, argv: Sequence[str]) -> AsyncGenerator[Told]:
    """Start it; nothing of it lives on after the context. Raises as `run` does, when told."""
    ends: list[Ended | Exception] = []
    over = anyio.Event()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with os.fdopen(reader, "rb", 0), os.fdopen(writer, "wb", 0) as pipe:

        async def live() -> None:
            try:
                ends.append(await run(standing, box, argv, Wires(stdin=reader)))
            except Exception as error:  # noqa: BLE001 - raised where it is told
                ends.append(error)
            over.set()

        async def write(data: bytes) -> None:
            await write_all(writer, data)
            pipe.close()

        async with tasks_beside() as group:

            async def tell(data: bytes) -> Ended:
                group.start_soon(write, data)  # it may have ended, and never read
                await over.wait()
                if isinstance(ends[0], Exception):
                    raise ends[0]
                return ends[0]

            group.start_soon(live)
            yield tell


async def write_all(pipe: int, data: bytes) -> None:
    """Write to a pipe that does not block; raises BrokenPipeError where nobody reads."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(pipe, view) :]
        except BlockingIOError:
            await anyio.wait_writable(pipe)
