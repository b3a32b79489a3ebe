"""`hermes peers`: the owner's other nodes, and codes for nodes and people. Asks the node."""

import argparse
from pathlib import Path

from hermes.cli import pairings
from hermes.cli.asking import ask
from hermes.cli.command import Commands, add_command, add_json, add_verbs, count
from hermes.cli.output import print_json, print_table, print_text
from hermes.cli.world import World
from hermes.core.event import Json
from hermes.errors import HermesError, NotAvailable

_COLUMNS = (
    ("npub", "NODE", 20),
    ("state", "STATE", 10),
    ("load", "LOAD", 4),
    ("homes", "HOMES", 5),
    ("clock", "CLOCK", 9),
    ("release", "RELEASE", 10),
    ("models", "MODELS", 24),
    ("since", "SINCE", 24),
    ("relays", "RELAYS", 60),
)
_MINUTES, _BY_HAND_MINUTES = 10, 24 * 60


def add(commands: Commands) -> None:
    """Add the noun and its verbs."""
    noun = add_command(commands, "peers", "the owner's other nodes", "hermes peers list")
    verbs = add_verbs(noun)
    shown = add_command(verbs, "list", "print who is there", "hermes peers list --json", _list)
    invite = add_command(
        verbs,
        "invite",
        "print a one-time code that makes another node a member",
        "hermes peers invite --name laptop",
        _invite,
    )
    invite.add_argument("--name", default="", help="what you call it")
    invite.add_argument(
        "--minutes",
        type=count,
        help=f"how long it holds ({_MINUTES}; by hand {_BY_HAND_MINUTES})",
    )
    invite.add_argument(
        "--by-hand",
        action="store_true",
        help="the other node answers in a bundle: no mesh need run",
    )
    join = add_command(verbs, "join", "become a member", "hermes peers join hermes1...", _join)
    join.add_argument("code", metavar="CODE", help="what hermes peers invite printed elsewhere")
    join.add_argument(
        "--bundle", metavar="FILE", help="write the question into this new file, to be carried over"
    )
    revoke = add_command(
        verbs, "revoke", "let a node in no more, for good", "hermes peers revoke npub1...", _revoke
    )
    revoke.add_argument("node", metavar="NPUB", help="the node's key")
    revoke.add_argument("--reason", default="", help="why; everybody is told")
    for command in (shown, invite, join, revoke):
        add_json(command)
    pairings.add(verbs)


async def _list(args: argparse.Namespace, world: World) -> int:
    try:
        found = await _ask(args, world, "peers.list")
    except NotAvailable as error:  # who is a member is known all the same
        found = await ask(args, world, "bundle.peers")
        world.note(f"as statements say: {error.message}")
    if args.json:
        print_json(found, world.stdout)
    else:
        print_table([_row(one) for one in found], _COLUMNS, world.stdout, "no members yet")
    return 0


async def _invite(args: argparse.Namespace, world: World) -> int:
    if args.by_hand:
        minutes = _BY_HAND_MINUTES if args.minutes is None else args.minutes
        made = await ask(args, world, "bundle.invite", name=args.name, minutes=minutes)
        hint = "on the other node: hermes peers join CODE --bundle FILE"
        return _code(args, world, made, hint)
    minutes = _MINUTES if args.minutes is None else args.minutes
    made = await _ask(args, world, "peers.invite", name=args.name, minutes=minutes)
    return _code(args, world, made, "on the other node: hermes peers join CODE")


async def _join(args: argparse.Namespace, world: World) -> int:
    if args.bundle:
        return await _join_by_hand(args, world)
    made = await _ask(args, world, "peers.join", code=args.code)
    if args.json:
        print_json(made, world.stdout)
    else:
        print_text(f"a member now, let in by {made['npub']}", world.stdout)
    return 0


async def _join_by_hand(args: argparse.Namespace, world: World) -> int:
    path = str(Path(world.cwd / Path(args.bundle)))
    made = await ask(args, world, "bundle.join", code=args.code, path=path)
    if args.json:
        print_json(made, world.stdout)
    else:
        print_text(f"a bundle for {made['npub']}, {made['bytes']:,} bytes", world.stdout)
        world.note(
            "there: hermes bundle import FILE; hermes bundle export ANSWER; here: import ANSWER"
        )
    return 0


async def _revoke(args: argparse.Namespace, world: World) -> int:
    made = await _ask(args, world, "peers.revoke", node=args.node, reason=args.reason)
    if args.json:
        print_json(made, world.stdout)
    else:
        print_text(f"{made['npub']} is a member no more", world.stdout)
    return 0


def _code(args: argparse.Namespace, world: World, made: Json, hint: str) -> int:
    if args.json:
        print_json(made, world.stdout)
    else:
        print_text(made["code"], world.stdout)
        world.note(f"holds until {made['until']}, once; {hint}")
    return 0


async def _ask(args: argparse.Namespace, world: World, query: str, /, **arguments: Json) -> Json:
    """Ask the node that runs; a chat that owns the store has no mesh."""
    async with world.find_owner(args.settings) as door:
        if door is None:
            raise NotAvailable("no node runs here", "start it: hermes node")
        try:
            return await door.query(query, **arguments)
        except HermesError as error:
            if "no query is called" not in error.message:
                raise
            raise NotAvailable(
                "what runs here has no mesh", "set mesh.relays or mesh.listen, then: hermes node"
            ) from error


def _apart(ahead_s: int) -> str:
    if abs(ahead_s) < 2 * 60:
        return f"{ahead_s:+} s" if ahead_s else ""
    return f"{round(ahead_s / 60):+} min"


def _row(one: Json) -> Json:
    return {
        **one,
        "npub": f"{one['npub'][:12]}…{one['npub'][-6:]}",
        "homes": one.get("homes", ""),
        "clock": _apart(one.get("ahead_s", 0)),
        "models": ", ".join(one["models"]),
        "relays": ", ".join(one["relays"]),
    }
