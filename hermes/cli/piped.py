"""Text that comes in through standard input.

A pipe is awaited, never read by a blocking thread: a thread that waits for a writer which
never comes would keep the process from ending after Ctrl-C.
"""

import os
import stat
from typing import TextIO

import anyio
import anyio.to_thread

from hermes.cli.world import World
from hermes.errors import Usage

LONGEST = 4_000_000
"""Bytes or characters; more belongs into a file that the model reads in parts."""

_PATIENCE_S = 2.0
_CHUNK = 65_536


def carries_text(stream: TextIO) -> bool:
    """Whether it is a pipe or a file: a socket or a device may never end."""
    if stream.isatty():
        return False
    mode = _mode(stream)
    return mode is None or stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


async def piped(world: World, longest: int = LONGEST) -> str:
    """Everything that comes, without line ends at its end; raises Usage when it is too much."""
    text = ""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_explain_waiting, world)
        text = await _read(world.stdin, longest)
        tasks.cancel_scope.cancel()
    if len(text) > longest:
        raise Usage(
            f"standard input is longer than {longest:,} characters",
            "put it into a file and name the file in the message",
        )
    return text.rstrip("\n")


async def _read(stream: TextIO, longest: int) -> str:
    mode = _mode(stream)
    if mode is None or not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return await anyio.to_thread.run_sync(stream.read, longest + 1)
    data = bytearray()
    while len(data) <= longest:
        await anyio.wait_readable(stream.fileno())
        chunk = os.read(stream.fileno(), _CHUNK)
        if not chunk:
            break
        data += chunk
    return data.decode(errors="replace")


async def _explain_waiting(world: World) -> None:
    await anyio.sleep(_PATIENCE_S)
    world.complain("waiting for the end of standard input", "without one: hermes ... </dev/null")


def _mode(stream: TextIO) -> int | None:
    """The kind of file behind it; None when there is none."""
    try:
        return os.fstat(stream.fileno()).st_mode
    except (OSError, ValueError):
        return None
