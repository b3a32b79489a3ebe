"""`hermes skin`: the voices and looks there are."""

import argparse

from hermes.cli.asking import ask
from hermes.cli.command import Commands, add_command, add_json, add_verbs
from hermes.cli.output import print_json, print_table, print_text
from hermes.cli.world import World

_COLUMNS = (("name", "NAME", 24), ("version", "VERSION", 12), ("persona", "PERSONA", 80))


def add(commands: Commands) -> None:
    """Add the noun and its verbs."""
    verbs = add_verbs(add_command(commands, "skin", "voices and looks", "hermes skin list"))
    every = add_command(verbs, "list", "list skins", "hermes skin list", _list)
    show = add_command(verbs, "show", "show one skin", "hermes skin show hermes", _show)
    show.add_argument("name", metavar="NAME")
    for command in (every, show):
        add_json(command)


async def _list(args: argparse.Namespace, world: World) -> int:
    skins = await ask(args, world, "skins.list")
    if args.json:
        print_json(skins, world.stdout)
    else:
        print_table(skins, _COLUMNS, world.stdout, "no skins")
    return 0


async def _show(args: argparse.Namespace, world: World) -> int:
    skin = await ask(args, world, "skin.get", name=args.name)
    if args.json:
        print_json(skin, world.stdout)
        return 0
    for name, value in skin.items():
        shown = (
            ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        )
        print_text(f"{name}: {shown}", world.stdout)
    return 0
