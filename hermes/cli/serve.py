"""`hermes serve`: the runtime as a server for other programs."""

import argparse

import anyio
import msgspec

from hermes.cli.chat import add_turn_options
from hermes.cli.command import Commands, add_command, add_verbs
from hermes.cli.settings import request_of
from hermes.cli.world import World
from hermes.errors import NotAvailable, Usage
from hermes.load import load


def add(commands: Commands) -> None:
    """Add the noun."""
    verbs = add_verbs(
        add_command(commands, "serve", "serve other programs", "hermes serve runner --stdio")
    )
    runner = add_command(
        verbs,
        "runner",
        "let a program talk with the runtime by the Model Context Protocol",
        "hermes serve runner --stdio --mode read-only",
        _runner,
    )
    runner.add_argument(
        "--stdio", action="store_true", required=True, help="on standard input and output"
    )
    add_turn_options(runner)
    runner.add_argument(
        "--scripts",
        metavar="DIR",
        help="for tests: a call may name a script of this directory as its model",
    )


async def _runner(args: argparse.Namespace, world: World) -> int:
    if world.stdin.isatty():
        raise NotAvailable(
            "standard input is a terminal, not a program",
            "name `hermes serve runner --stdio` as a stdio server in your MCP client",
        )
    scripts = world.cwd / args.scripts if args.scripts else None
    if scripts and not await anyio.Path(scripts).is_dir():
        raise Usage(f"{scripts} is no directory")
    args.conversation = ""
    order = msgspec.structs.replace(request_of(args, world, args.settings), typed=0)
    # Longest first: the package is read while nobody waits for an answer yet.
    server = load("mcp_runner")
    async with world.open_client(args.settings, interactive=True, environ=world.environ) as door:
        await server.serve(door, order, scripts)
    return 0
