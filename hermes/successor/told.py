"""A box that has started its program already and waits on its standard input; told once."""

import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import anyio

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
            view = memoryview(data)
            while view:
                await anyio.wait_writable(writer)
                view = view[pipe.write(view) or 0 :]
            pipe.close()

        async with anyio.create_task_group() as group:

            async def tell(data: bytes) -> Ended:
                group.start_soon(write, data)  # it may have ended, and never read
                await over.wait()
                if isinstance(ends[0], Exception):
                    raise ends[0]
                return ends[0]

            group.start_soon(live)
            failed: Exception | None = None
            try:
                yield tell
            except Exception as error:  # noqa: BLE001 - raised again, outside of the group
                failed = error
            group.cancel_scope.cancel()
        if failed is not None:
            raise failed
