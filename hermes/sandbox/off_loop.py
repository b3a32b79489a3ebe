"""A context manager whose ends block, entered and left in a thread; left in any case."""

from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, asynccontextmanager
from typing import TypeVar

import anyio
import anyio.to_thread

_T = TypeVar("_T")


@asynccontextmanager
async def off_loop(manager: AbstractContextManager[_T]) -> AsyncGenerator[_T, None]:
    """Enter and leave it off the event loop; it is not told of errors inside."""
    value = await anyio.to_thread.run_sync(manager.__enter__)
    try:
        yield value
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(manager.__exit__, None, None, None)
