"""Ctrl-C while no prompt is open: between two lines it must not end the chat.

An open prompt gets it as a key; outside one it is a signal, which the event loop's runner
would take for the wish to end the program.
"""

import signal
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import anyio


@asynccontextmanager
async def interrupts_ignored() -> AsyncGenerator[None]:
    """Swallow SIGINT until the context ends, then hand it back to who had it."""
    before = signal.getsignal(signal.SIGINT)
    try:
        with anyio.open_signal_receiver(signal.SIGINT) as signals:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_swallow, signals)
                yield
                tasks.cancel_scope.cancel()
    finally:
        signal.signal(signal.SIGINT, before)


async def _swallow(signals: AsyncIterator[signal.Signals]) -> None:
    async for _ in signals:
        continue
