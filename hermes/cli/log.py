"""`hermes log`: the tree over everything stored; its proofs, signed checkpoints, archives."""

import argparse
import json
from pathlib import Path

from hermes.cli import log_witnesses
from hermes.cli.asking import ask
from hermes.cli.command import Commands, add_command, add_json, add_verbs, count
from hermes.cli.conversations import write_new
from hermes.cli.log_verify import verify
from hermes.cli.output import print_json, print_text
from hermes.cli.world import World
from hermes.core.event import Json
from hermes.errors import Usage


def add(commands: Commands) -> None:
    """Add the noun and its verbs."""
    noun = add_command(
        commands, "log", "prove what was stored, and that it still is", "hermes log verify"
    )
    verbs = add_verbs(noun)
    root = add_command(verbs, "root", "print the log's size and root", "hermes log root", _root)
    root.add_argument("--size", type=count, metavar="N", help="as it was with N entries")
    prove = add_command(
        verbs,
        "prove",
        "prove that a block is in the log, or that the log only grew",
        "hermes log prove bafyreif7oqn4 --out proof.json",
        _prove,
    )
    prove.add_argument(
        "name", nargs="?", metavar="CID", help="a block's name, or its first 12 letters"
    )
    prove.add_argument(
        "--from",
        dest="since",
        type=count,
        metavar="SIZE",
        help="that the first SIZE entries are still its start",
    )
    prove.add_argument(
        "--size", type=count, metavar="N", help="in the log as it was with N entries"
    )
    prove.add_argument("--out", metavar="FILE", help="a file that does not exist yet")
    check = add_command(
        verbs, "verify", "check everything stored, down to each byte", "hermes log verify", verify
    )
    check.add_argument("--checkpoint", metavar="FILE", help="a signed checkpoint, kept elsewhere")
    sign = add_command(
        verbs, "checkpoint", "sign the log as it is now", "hermes log checkpoint", _checkpoint
    )
    sign.add_argument("--out", metavar="FILE", help="a file that does not exist yet")
    seen = add_command(
        verbs,
        "witnesses",
        "print who cosigned the log, and what was seen of members' logs",
        "hermes log witnesses",
        log_witnesses.witnesses,
    )
    seen.add_argument("--out", metavar="FILE", help="a file for the cosigned checkpoint")
    export = add_command(
        verbs,
        "export",
        "write blocks as a CAR v1 archive",
        "hermes log export talk.car --conversation 0199a0",
        _export,
    )
    export.add_argument("file", metavar="FILE", help="a file that does not exist yet")
    export.add_argument(
        "--conversation",
        action="append",
        default=[],
        metavar="ID",
        help="this one; else everything, private too",
    )
    export.add_argument(
        "--block", action="append", default=[], metavar="CID", help="this one and all that it links"
    )
    load = add_command(
        verbs, "import", "take a CAR v1 archive in", "hermes log import talk.car", _import
    )
    load.add_argument("file", metavar="FILE", help="a CAR v1 archive")
    sweep = add_command(
        verbs,
        "sweep",
        "find stored bytes that nothing refers to",
        "hermes log sweep --apply",
        _sweep,
    )
    sweep.add_argument("--apply", action="store_true", help="remove them")
    for command in (root, prove, check, sign, seen, export, load, sweep):
        add_json(command)


async def _root(args: argparse.Namespace, world: World) -> int:
    told = await ask(args, world, "log.root", **({} if args.size is None else {"size": args.size}))
    if args.json:
        print_json(told, world.stdout)
        return 0
    signed = told["signed_size"]
    print(f"size    {told['size']}", file=world.stdout)
    print(f"root    {told['root']}", file=world.stdout)
    print(f"signed  {'never' if signed is None else f'{signed} entries'}", file=world.stdout)
    return 0


async def _prove(args: argparse.Namespace, world: World) -> int:
    if (args.name is None) == (args.since is None):
        raise Usage("name a block, or a size with --from", "hermes log prove --help")
    size = {} if args.size is None else {"size": args.size}
    if args.name is not None:
        proof = await ask(args, world, "log.prove", name=args.name, **size)
        said = f"entry {proof['index']} of {proof['size']}"
    else:
        proof = await ask(args, world, "log.grown", since=args.since, **size)
        said = f"{proof['size']} entries grew out of {proof['old_size']}"
    if args.out:
        await write_new(world.cwd / args.out, json.dumps(proof, indent=2) + "\n")
    if args.json:
        print_json(proof, world.stdout)
        return 0
    print_text(f"{said}, root {proof['root']}, {len(proof['path'])} hashes", world.stdout)
    if args.name is not None and proof["note"] is None:
        world.note("that root is not signed; sign it: hermes log checkpoint")
    return 0


async def _checkpoint(args: argparse.Namespace, world: World) -> int:
    told = await ask(args, world, "log.checkpoint")
    if args.out:
        await write_new(world.cwd / args.out, str(told["note"]))
    if args.json:
        print_json(told, world.stdout)
    elif not told["note"]:
        print("the log is empty", file=world.stdout)
    else:
        print_text(str(told["note"]).rstrip("\n"), world.stdout)
    return 0


async def _export(args: argparse.Namespace, world: World) -> int:
    named: dict[str, Json] = {"conversations": args.conversation, "names": args.block}
    told = await ask(args, world, "log.export", path=_absolute(args.file, world), **named)
    if args.json:
        print_json(told, world.stdout)
        return 0
    print(f"{_some(told, 'blocks', 'blobs')}, {told['bytes']:,} bytes", file=world.stdout)
    for name, words in _MISSED.items():
        if found := told[name]:
            print(f"{len(found)} {words}", file=world.stdout)
    if told["private"]:
        world.complain(f"private conversations in it: {told['private']}; think whom you give it to")
    return 0


_MISSED = {
    "erased": "were erased: only their names go along",
    "missing": "are named and not in this store",
    "left_out": "are larger than an archive takes",
}


async def _import(args: argparse.Namespace, world: World) -> int:
    told = await ask(args, world, "log.import", path=_absolute(args.file, world))
    if args.json:
        print_json(told, world.stdout)
        return 0
    print(f"{_some(told, 'blocks', 'blobs')}, {told['known']} were here", file=world.stdout)
    for name, words in _CAME.items():
        for conversation in told[name]:
            print_text(f"{conversation} {words}", world.stdout)
    return 0


_CAME = {
    "conversations": "is new",
    "kept": "was here and stays as it is",
    "refused": "is left out: its messages are not in the archive",
}


async def _sweep(args: argparse.Namespace, world: World) -> int:
    told = await ask(args, world, "log.sweep", apply=args.apply)
    if args.json:
        print_json(told, world.stdout)
        return 0
    word = "found" if told["dry"] else "removed"
    number = len(told["digests"])
    print(f"{word} {number} that nothing names, {told['bytes']:,} bytes", file=world.stdout)
    if number and told["dry"]:
        world.note("remove them: hermes log sweep --apply")
    return 0


def _absolute(name: str, world: World) -> str:
    """The owner may stand elsewhere."""
    return str(Path(world.cwd / Path(name)))


def _some(told: Json, *names: str) -> str:
    return ", ".join(f"{told[name]:,} {name}" for name in names)
