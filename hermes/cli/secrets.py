"""What a person types and nobody should see: passphrases, asked on a terminal or read from a file.

Never taken from an argument or the environment: other processes can read those.
"""

import argparse
import termios
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import anyio
import anyio.to_thread

from hermes.cli.piped import piped
from hermes.cli.world import World
from hermes.errors import Usage

_LONGEST = 4_096
_FLAGS = 3


async def passphrase(
    args: argparse.Namespace, world: World, *, new: bool = False, flag: str = "passphrase_file"
) -> str:
    """The passphrase: from the file, from a terminal (twice when new), or from a pipe.

    Raises Usage when there is none, or the two are not alike.
    """
    if path := getattr(args, flag, None):
        return await anyio.to_thread.run_sync(_first_line, path)
    if not world.stdin.isatty():
        text = (await piped(world, _LONGEST)).split("\n", 1)[0].removesuffix("\r")
        return _given(text)
    words = "new passphrase: " if new else "passphrase: "
    text = _given(await typed(world, words, hidden=True))
    if new and text != await typed(world, "once more: ", hidden=True):
        raise Usage("the two passphrases are not alike", "try again")
    return text


async def typed(world: World, prompt: str, *, hidden: bool = False) -> str:
    """One line from the terminal; the event loop goes on meanwhile."""
    with unseen(world) if hidden else nullcontext():
        print(prompt, end="", file=world.stderr, flush=True)
        await anyio.wait_readable(world.stdin.fileno())
        # The terminal hands out whole lines: this does not wait.
        line = world.stdin.readline()
    if not line:
        raise Usage("nothing was typed")
    return line.rstrip("\r\n")


@contextmanager
def unseen(world: World) -> Iterator[None]:
    """The terminal does not show what is typed meanwhile."""
    terminal = world.stdin.fileno()
    before = termios.tcgetattr(terminal)
    quiet = list(before)
    quiet[_FLAGS] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSADRAIN, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
        print(file=world.stderr)


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            line = file.readline(_LONGEST)
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(f"{path} cannot be read") from error
    return _given(line.rstrip("\r\n"))


def _given(text: str) -> str:
    if not text:
        raise Usage("the passphrase is empty", "type one, or give --passphrase-file FILE")
    return text
