"""`hermes trust`: who was appointed by whom, from genesis to now.

`verify` of a file needs no node, no store, no identity and no network; `--npub` asks relays.
"""

import argparse
import base64
from functools import partial

import anyio.to_thread

from hermes.cli import trust_other
from hermes.cli.asking import ask
from hermes.cli.command import Commands, add_command, add_json, add_verbs
from hermes.cli.output import print_json, print_text
from hermes.cli.stamp_files import read_some
from hermes.cli.trust_tree import counted, tree_lines
from hermes.cli.world import World
from hermes.core.clock import SystemClock
from hermes.core.event import Json
from hermes.errors import ProofInvalid, Usage
from hermes.gateway.render_successor import version_lines
from hermes.load import load
from hermes.node.new_file import check_free, write_new

_FILE_MOST = 64 << 20
_HEADERS_MOST = 1 << 30
_LIMITS = (
    "that no move of the coin came after the last one here: ask a server, hermes trust show",
    "that the first instance began no second line, from another deposit: two make a twin",
    "who holds the keys today",
    "that every member and every revocation is in the file: its maker chose them",
)


def add(commands: Commands) -> None:
    """Add the noun and its verbs."""
    example = "hermes trust verify line.hrml --headers regtest.headers"
    noun = add_command(commands, "trust", "walk from genesis to the present instance", example)
    verbs = add_verbs(noun)
    show = add_command(verbs, "show", "draw the walk", "hermes trust show", _show)
    verify = add_command(verbs, "verify", "check a walk's file, offline", example, _verify)
    verify.add_argument("file", nargs="?", metavar="FILE", help="the walk (hermes trust export)")
    by = verify.add_mutually_exclusive_group()
    by.add_argument("--headers", metavar="FILE", help="block headers (hermes anchor headers)")
    by.add_argument("--block", metavar="HASH", help="the hash of a block that you believe")
    for command in (show, verify):
        command.add_argument("--npub", metavar="NPUB", help="another instance, as relays show it")
        command.add_argument(
            "--relay", action="append", metavar="URL", help="ask this one (else mesh.relays)"
        )
    export = add_command(
        verbs, "export", "write the walk to a file", "hermes trust export --out line.hrml", _export
    )
    export.add_argument("--out", required=True, metavar="FILE", help="a file not there yet")
    for command in (show, verify, export):
        add_json(command)


async def _show(args: argparse.Namespace, world: World) -> int:
    if args.npub:
        return await trust_other.show(args, world)
    told = await ask(args, world, "trust.show")
    if args.json:
        print_json(told, world.stdout)
        return 0
    for line in tree_lines(told, _encoding(world)):
        print_text(line, world.stdout)
    for one in told["waiting"]:
        says = f", {one['says']}" if one["says"] else ""
        print_text(f"not in a block yet: {one['kind']}, {one['state']}{says}", world.stdout)
    if versions := told.get("versions"):
        for line in ("", "versions that ran here", *version_lines(versions)):
            print_text(line, world.stdout)
    return 0


async def _verify(args: argparse.Namespace, world: World) -> int:
    data, genesis = await _walk(args, world)
    headers = b"" if args.block else await _headers(args, world)
    heavy = await anyio.to_thread.run_sync(load, "trust")
    now = SystemClock().now_ms()
    check = partial(heavy.verify_file, data, headers, args.block or "", now)
    told: dict[str, Json] = await anyio.to_thread.run_sync(check)
    if genesis not in {"", *(one["genesis"] for one in told["instances"])}:
        raise ProofInvalid("the walk of trust that these relays have is another's")
    if args.json:
        print_json(told, world.stdout)
        return 0
    for line in ("The walk holds.", "", *tree_lines(told, _encoding(world)), "", *_ground(told)):
        print_text(line, world.stdout)
    return 0


async def _walk(args: argparse.Namespace, world: World) -> tuple[bytes, str]:
    """The walk's bytes, and the genesis record that has to be in it ("": any)."""
    if bool(args.npub) == bool(args.file):
        raise Usage("name one walk", "give a FILE, or --npub NPUB")
    if args.npub:
        return await trust_other.walk_of(args)
    data = await anyio.to_thread.run_sync(read_some, world.cwd / args.file, _FILE_MOST + 1)
    if len(data) > _FILE_MOST:
        raise ProofInvalid(f"{args.file} is larger than any lineage")
    return data, ""


async def _export(args: argparse.Namespace, world: World) -> int:
    out = world.cwd / args.out
    await anyio.to_thread.run_sync(check_free, out)
    told = await ask(args, world, "trust.export")
    await anyio.to_thread.run_sync(write_new, out, base64.b64decode(told.pop("file")))
    if args.json:
        print_json(told | {"out": str(out)}, world.stdout)
    else:
        many = counted(told["instances"], "instance"), counted(told["links"], "move")
        said = f"{told['bytes']} bytes, {many[0]}, {many[1]} of the coin"
        print_text(f"{args.out}: {said}", world.stdout)
    return 0


async def _headers(args: argparse.Namespace, world: World) -> bytes:
    own = args.settings.data_dir / "headers" / f"{args.settings.chain.network}.headers"
    path = world.cwd / args.headers if args.headers else own
    if not args.headers and not await anyio.to_thread.run_sync(own.exists):
        raise Usage(
            "a walk is checked against blocks that you believe",
            "give --headers FILE (hermes anchor headers) or --block HASH",
        )
    return await anyio.to_thread.run_sync(read_some, path, _HEADERS_MOST)


def _ground(told: dict[str, Json]) -> list[str]:
    place = told["place"]
    if place["height"] is None:
        rests = "that block is yours to believe"
    else:
        many = "1 block holds" if place["blocks"] == 1 else f"{place['blocks']} blocks hold or bury"
        rests = f"height {place['height']}, {many} it"
    return [
        f"The last move lies in block {place['block']},",
        f"  {place['time']}; {rests}.",
        "",
        "It does not show:",
        *(f"  - {limit}" for limit in _LIMITS),
    ]


def _encoding(world: World) -> str:
    return getattr(world.stdout, "encoding", None) or "utf-8"
