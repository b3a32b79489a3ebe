"""`hermes identity member add|list|revoke`: records that the owner's key signs."""

import argparse
import re
from pathlib import Path

import anyio.to_thread

from hermes.cli.asking import ask
from hermes.cli.identity_soul import open_signer, opened
from hermes.cli.output import print_json, print_table
from hermes.cli.world import World
from hermes.core.clock import from_rfc3339, rfc3339
from hermes.core.event import Json
from hermes.errors import Usage
from hermes.identity.npub import npub_of, read_npub
from hermes.node.new_file import check_free, write_new

_COLUMNS = (
    ("npub", "NODE", 63),
    ("roles", "ROLES", 24),
    ("since", "SINCE", 24),
    ("until", "UNTIL", 24),
    ("state", "STATE", 8),
    ("reason", "REASON", 40),
)
_LONGEST = 16_384
_ROLE = re.compile(r"[a-z][a-z0-9-]{0,31}")


async def add(args: argparse.Namespace, world: World) -> int:
    """Sign a node in, or take a record that was signed where the owner's key is."""
    if bool(args.node) == bool(args.signed):
        raise Usage("name a node, or a record: --signed FILE")
    if odd := [role for role in args.role if not _ROLE.fullmatch(role)]:
        raise Usage(f"{odd[0]!r} is no role", "small letters, digits and - make one")
    await _check_out(args, world)
    if args.signed:
        data = await anyio.to_thread.run_sync(_read, args.signed)
        return await _done(args, world, await ask(args, world, "identity.record", data=data))
    times = {"since": _moment(args.since), "until": _moment(args.until)}
    async with opened(args, world) as door:
        await open_signer(args, world, door)
        node = read_npub(args.node)
        made = await door.query("identity.member_add", node=node, roles=args.role, **times)
    return await _done(args, world, made)


async def members(args: argparse.Namespace, world: World) -> int:
    """Print how every node stands."""
    at = {"at": _moment(args.at)} if args.at else {}
    found = await ask(args, world, "identity.members", **at)
    if args.json:
        print_json(found, world.stdout)
    else:
        print_table([_row(one) for one in found], _COLUMNS, world.stdout, "no members yet")
    return 0


async def revoke(args: argparse.Namespace, world: World) -> int:
    """Sign a node out."""
    await _check_out(args, world)
    async with opened(args, world) as door:
        await open_signer(args, world, door)
        node = read_npub(args.node)
        made = await door.query("identity.revoke", node=node, reason=args.reason)
    return await _done(args, world, made)


async def _check_out(args: argparse.Namespace, world: World) -> None:
    """Before anything is signed for good."""
    if args.out:
        await anyio.to_thread.run_sync(check_free, world.cwd / args.out)


async def _done(args: argparse.Namespace, world: World, made: Json) -> int:
    if args.out:
        text = f"{made['data']}\n"
        await anyio.to_thread.run_sync(write_new, world.cwd / args.out, text.encode())
    if args.json:
        print_json(made, world.stdout)
    else:
        print(f"{made['kind']} of {made['subject']}: {made['cid']}", file=world.stdout)
    return 0


def _row(member: Json) -> Json:
    until = rfc3339(member["until"]) if member["until"] else None
    shown = {"npub": npub_of(member["node"]), "roles": ", ".join(member["roles"])}
    return {**member, **shown, "since": rfc3339(member["since"]), "until": until}


def _moment(text: str | None) -> int:
    if not text:
        return 0
    try:
        found = from_rfc3339(text)
    except ValueError:
        found = 0
    if found <= 0:  # 0 is "now" and "no end"
        raise Usage(f"{text!r} is no time", "write it as 2026-11-21T08:00:00Z")
    return found


def _read(path: Path) -> str:
    try:
        with path.open(encoding="ascii") as file:
            return file.read(_LONGEST).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(f"{path} cannot be read") from error
