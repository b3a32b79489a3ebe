"""`hermes peers pair|pairings|unpair`: the people who may write to the agent from their phones."""

import argparse

from hermes.cli.asking import ask
from hermes.cli.command import Commands, add_command, add_json, count
from hermes.cli.output import print_json, print_table, print_text
from hermes.cli.world import World
from hermes.errors import Usage
from hermes.gateway.render_text import clean, local_time

_MINUTES = 10
_COLUMNS = (
    ("name", "NAME", 20),
    ("state", "STATE", 6),
    ("npub", "KEY", 63),
    ("until", "OPEN UNTIL", 20),
    ("root", "PROJECT", 60),
)


def add(verbs: Commands) -> None:
    """Add the verbs to the noun `peers`."""
    pair = add_command(
        verbs,
        "pair",
        "print a one-time code that lets a person write direct messages",
        "hermes peers pair --name phone",
        _pair,
    )
    pair.add_argument("--name", default="", metavar="NAME", help="what you call it")
    pair.add_argument(
        "--minutes", type=count, default=_MINUTES, metavar="N", help=f"open so long ({_MINUTES})"
    )
    every = add_command(
        verbs, "pairings", "list who may write, and open codes", "hermes peers pairings", _list
    )
    unpair = add_command(
        verbs, "unpair", "let a key write no more", "hermes peers unpair npub1...", _unpair
    )
    unpair.add_argument("key", metavar="NPUB", help="the key, or the name it was given")
    for command in (pair, every, unpair):
        add_json(command)


async def _pair(args: argparse.Namespace, world: World) -> int:
    async with world.open_client(args.settings, interactive=False, environ=world.environ) as door:
        npub = (await door.query("identity.show"))["npub"]
        made = await door.query(
            "pairings.offer",
            root=str(world.root),
            cwd=str(world.cwd),
            name=args.name,
            minutes=args.minutes,
        )
    if args.json:
        print_json({**made, "npub": npub}, world.stdout)
        return 0
    print_text(made["code"], world.stdout)
    world.note(
        f"Send it as a private message (NIP-17) to {npub}\n"
        f"It holds once, until {local_time(made['until'])}. What that key says is then acted on "
        f"in {clean(made['root'])}; approvals are asked by message."
    )
    return 0


async def _list(args: argparse.Namespace, world: World) -> int:
    found = await ask(args, world, "pairings.list")
    if args.json:
        print_json(found, world.stdout)
    else:
        print_table(found, _COLUMNS, world.stdout, "nobody is paired; see: hermes peers pair")
    return 0


async def _unpair(args: argparse.Namespace, world: World) -> int:
    async with world.open_client(args.settings, interactive=False, environ=world.environ) as door:
        named = [
            one["key"]
            for one in await door.query("pairings.list")
            if one["state"] == "paired" and one["name"] == args.key
        ]
        if len(named) > 1:
            raise Usage(f"{len(named)} keys are called {args.key!r}", "give the npub")
        answer = await door.query("pairings.revoke", key=named[0] if named else args.key)
    if not answer["unpaired"]:
        raise Usage("that key is not paired", "see: hermes peers pairings")
    if args.json:
        print_json(answer, world.stdout)
    else:
        print_text("unpaired", world.stdout)
    return 0
