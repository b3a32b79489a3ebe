"""`hermes bundle export|import FILE`: what waits for other nodes, carried by hand."""

import argparse
from pathlib import Path

from hermes.cli.asking import ask
from hermes.cli.command import Commands, add_command, add_json, add_verbs
from hermes.cli.output import print_json, print_text
from hermes.cli.world import World


def add(commands: Commands) -> None:
    """Add the noun and its verbs."""
    noun = add_command(
        commands,
        "bundle",
        "carry what waits for other nodes by hand",
        "hermes bundle export stick.hbundle",
    )
    verbs = add_verbs(noun)
    export = add_command(
        verbs,
        "export",
        "write what waits into one signed and encrypted file",
        "hermes bundle export stick.hbundle --to npub1...",
        _export,
    )
    export.add_argument("file", metavar="FILE", help="a file that does not exist yet")
    export.add_argument(
        "--to", action="append", default=[], metavar="NPUB", help="for this node; else for all"
    )
    load = add_command(
        verbs, "import", "take in what a file brings", "hermes bundle import stick.hbundle", _import
    )
    load.add_argument("file", metavar="FILE", help="a bundle made for this node")
    for command in (export, load):
        add_json(command)


async def _export(args: argparse.Namespace, world: World) -> int:
    told = await ask(args, world, "bundle.export", path=_absolute(args.file, world), to=args.to)
    if args.json:
        print_json(told, world.stdout)
        return 0
    readers = len(told["to"])
    print(
        f"{told['letters']:,} letters, {told['receipts']:,} receipts for {readers:,}"
        f" {'node' if readers == 1 else 'nodes'}, {told['bytes']:,} bytes",
        file=world.stdout,
    )
    world.note("they go on waiting until a receipt comes back, by any way")
    return 0


async def _import(args: argparse.Namespace, world: World) -> int:
    told = await ask(args, world, "bundle.import", path=_absolute(args.file, world))
    if args.json:
        print_json(told, world.stdout)
        return 0
    print_text(f"{told['letters']:,} letters from {told['creator']}, {told['made']}", world.stdout)
    refused = dict(told["refused"])
    if told["odd"]:
        refused["malformed"] = refused.get("malformed", 0) + told["odd"]
    for reason, times in refused.items():
        print_text(f"{times:,} {_WORDS.get(reason, 'refused: ' + reason)}", world.stdout)
    return 0


_WORDS = {"replayed": "were here before"}


def _absolute(name: str, world: World) -> str:
    """The owner may stand elsewhere."""
    return str(Path(world.cwd / Path(name)))
