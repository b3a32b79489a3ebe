"""`hermes sandbox`: its words; what they do is in `sandbox_run`, loaded when it is wanted."""

import argparse
import re

from hermes.cli.command import Commands, add_command, add_json, add_verbs
from hermes.cli.world import World
from hermes.load import load
from hermes.sandbox.limits import Limits

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
SIZES = ("memory", "tree-memory", "file", "disk", "output")
COUNTS = ("processes", "open-files", "inodes", "cpu-s")


def add(commands: Commands) -> None:
    """Add the noun."""
    verbs = add_verbs(
        add_command(
            commands, "sandbox", "what holds commands and successors in", "hermes sandbox check"
        )
    )
    check = add_command(
        verbs,
        "check",
        "try every way out, inside and outside, and say the tier",
        "hermes sandbox check --json",
        _check,
    )
    add_json(check)
    command = add_command(
        verbs,
        "run",
        "run a command under the machine's sandbox: no network, no files but /usr",
        "hermes sandbox run --overlay --wall-s 30 -- make test",
        _run,
    )
    _add_view(command)
    _add_limits(command)
    add_json(command)
    command.add_argument("argv", nargs="+", metavar="CMD", help="after --: the command")
    check.set_defaults(needs_settings=False)


def _add_view(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--overlay",
        action="store_true",
        help="show the project; changes are listed and not made",
    )
    command.add_argument(
        "--apply", action="store_true", help="with --overlay: make the changes, all or none"
    )
    command.add_argument(
        "--workspace", metavar="DIR", help="with --overlay: another directory than the project"
    )
    command.add_argument(
        "--read", metavar="PATH", action="append", default=[], help="show this too; may repeat"
    )
    command.add_argument(
        "--env", metavar="NAME=VALUE", action="append", default=[], help="set; may repeat"
    )
    command.add_argument("--stdin", action="store_true", help="hand on standard input")


def _add_limits(command: argparse.ArgumentParser) -> None:
    normal = Limits()
    for names, kind, shown in ((SIZES, _size, "SIZE"), (COUNTS, int, "N")):
        for name in names:
            default = getattr(normal, name.replace("-", "_"))
            said = f"{default >> 20}M" if kind is _size else default
            command.add_argument(
                f"--{name}", type=kind, metavar=shown, default=default, help=f"(default: {said})"
            )
    command.add_argument(
        "--wall-s", type=float, metavar="S", default=normal.wall_s, help="(default: 120)"
    )


def _size(text: str) -> int:
    found = re.fullmatch(r"(\d+)([kmg]?)", text.lower())
    if not found:
        raise argparse.ArgumentTypeError(f"{text} is no size such as 64M")
    return int(found[1]) * _UNITS[found[2]]


async def _check(args: argparse.Namespace, world: World) -> int:
    code: int = await load("sandbox").check(args, world)
    return code


async def _run(args: argparse.Namespace, world: World) -> int:
    code: int = await load("sandbox").run_command(args, world)
    return code
