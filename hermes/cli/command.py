"""How a noun adds a command to the parser: help, an example, the coroutine that runs it."""

import argparse
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from hermes.cli.world import World

Run = Callable[[argparse.Namespace, World], Awaitable[int]]
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - no public name


def add_command(
    commands: Commands, name: str, says: str, example: str, run: Run | None = None
) -> argparse.ArgumentParser:
    """Add one command; without `run` it is a noun whose verbs follow."""
    command = commands.add_parser(
        name,
        help=says,
        description=says[0].upper() + says[1:] + ".",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    if run:
        command.set_defaults(run=run)
    return command


def add_verbs(command: argparse.ArgumentParser) -> Commands:
    """Let a noun have verbs."""
    return command.add_subparsers(metavar="VERB", required=True, title="verbs")


def add_json(command: argparse.ArgumentParser) -> None:
    """Let a command print JSON."""
    command.add_argument("--json", action="store_true", help="print JSON")


def count(text: str) -> int:
    """A whole number that is not negative."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return number
