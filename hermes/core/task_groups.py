"""What a task group does to a caller who should not have to know of it: ends, and lone errors."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio
from anyio.abc import TaskGroup


@asynccontextmanager
async def tasks_beside() -> AsyncGenerator[TaskGroup]:
    """Tasks that end with the body; what the body raises comes out as it is."""
    failed: list[Exception] = []
    async with anyio.create_task_group() as tasks:
        try:
            yield tasks
        except Exception as error:  # noqa: BLE001 - raised again, outside of the group
            failed.append(error)
        tasks.cancel_scope.cancel()
    if failed:
        raise failed[0]


@asynccontextmanager
async def cut_short(by: Callable[[], Awaitable[object]]) -> AsyncGenerator[None]:
    """Cancel the body once `by` returns; what the body raises comes out as it is."""
    async with tasks_beside() as tasks:
        tasks.start_soon(_end, by, tasks.cancel_scope)
        yield


async def _end(by: Callable[[], Awaitable[object]], work: anyio.CancelScope) -> None:
    await by()
    work.cancel()


@contextmanager
def lone_error() -> Iterator[None]:
    """Let a lone error of a task group out as itself."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        raise error from error.__cause__
