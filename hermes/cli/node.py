"""`hermes node`: the process that stays; its verb prints how systemd keeps it."""

import argparse
import shutil
import signal
import sys

import anyio

from hermes.cli.command import Commands, add_command
from hermes.cli.deadline import CLOSING_S, end_within
from hermes.cli.node_unit import unit
from hermes.cli.output import print_text
from hermes.cli.world import World
from hermes.load import load


def add(commands: Commands) -> None:
    """Add the noun; alone it runs."""
    node = add_command(
        commands,
        "node",
        "run the node: mesh, direct messages and background work, until it is ended",
        "hermes node",
        _run,
    )
    node.add_argument("--handed", default="", help=argparse.SUPPRESS)
    verbs = node.add_subparsers(metavar="VERB", title="verbs")
    add_command(
        verbs,
        "unit",
        "print a systemd user unit",
        "hermes node unit > ~/.config/systemd/user/hermes-node.service",
        _unit,
    )


async def _run(args: argparse.Namespace, world: World) -> int:
    keeper = load("node").NodeKeeper(
        args.settings,
        world.environ,
        lambda part: _say(_line(part.name, part.says, part.remedy), world),
        lambda text: _say(text, world),
        args.handed,
    )
    code = 0
    async with anyio.create_task_group() as tasks:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:

            async def end() -> None:
                async for one in signals:
                    end_within(CLOSING_S, lambda text: _say(text, world))
                    _say(f"{one.name}: closing", world)
                    tasks.cancel_scope.cancel()

            tasks.start_soon(end)
            code = await keeper.run()
            tasks.cancel_scope.cancel()
    return code


async def _unit(_args: argparse.Namespace, world: World) -> int:
    command = shutil.which("hermes", path=world.environ.get("PATH")) or sys.argv[0]
    home = world.environ.get("HERMES_V2_HOME", "")
    print_text(unit(str(world.cwd / command), home), world.stdout)
    return 0


def _line(name: str, says: str, remedy: str) -> str:
    return f"{name}: {says}" + (f" ({remedy})" if remedy else "")


def _say(text: str, world: World) -> None:
    print_text(text, world.stdout)
    world.stdout.flush()
