"""`hermes timestamp`: OpenTimestamps proofs, made by this node's calendar or one that is named.

Only `--calendar` dials; an address that stands in a proof is shown, never followed.
"""

import argparse
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Protocol

import anyio.to_thread

from hermes.cli import timestamp_check
from hermes.cli.asking import ask
from hermes.cli.command import Commands, add_command, add_json, add_verbs
from hermes.cli.output import print_json, print_table, print_text
from hermes.cli.stamp_files import digest_named, read_proof_file, write_over
from hermes.cli.world import World
from hermes.core.clock import rfc3339
from hermes.core.event import Json
from hermes.errors import Usage
from hermes.gateway.terminal_door import Door
from hermes.load import load
from hermes.node.new_file import check_free, write_new

_NONCE = 16
_BATCHES = (
    ("id", "BATCH", 8),
    ("size", "DIGESTS", 8),
    ("closed", "CLOSED", 24),
    ("state", "STATE", 10),
    ("height", "BLOCK", 10),
    ("root", "ROOT", 64),
)


class _Source(Protocol):
    async def add(self, digest: bytes) -> bytes: ...
    async def find(self, commitment: bytes) -> bytes | None: ...


class _Own:
    """This node's calendar, through its owner."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def add(self, digest: bytes) -> bytes:
        """Have a digest anchored."""
        answer = await self._door.query("timestamp.add", digest=digest.hex())
        return bytes.fromhex(answer["answer"])

    async def find(self, commitment: bytes) -> bytes | None:
        """What became of a commitment."""
        answer = await self._door.query("timestamp.find", commitment=commitment.hex())
        return bytes.fromhex(answer["answer"]) or None


def add(commands: Commands) -> None:
    """Add the noun and its verbs."""
    example = "hermes timestamp stamp report.pdf"
    noun = add_command(commands, "timestamp", "prove that a file existed (OpenTimestamps)", example)
    verbs = add_verbs(noun)
    stamp = add_command(verbs, "stamp", "have a file's digest anchored", example, _stamp)
    stamp.add_argument("file", metavar="FILE", nargs="?", help="the file")
    stamp.add_argument("--digest", metavar="HEX", help="a SHA-256 instead of a file")
    stamp.add_argument(
        "--signature",
        metavar="HEX",
        help="the digest is a Nostr event's id, this its signature: both are stamped together",
    )
    stamp.add_argument("--out", metavar="FILE.ots", help="a file that does not exist yet")
    upgrade = add_command(
        verbs,
        "upgrade",
        "fetch what a calendar promised",
        "hermes timestamp upgrade report.pdf.ots",
        _upgrade,
    )
    upgrade.add_argument("proof", metavar="FILE.ots", help="the proof; it is written anew")
    timestamp_check.add(verbs)
    now = add_command(
        verbs, "now", "anchor what waits in this node's calendar", "hermes timestamp now", _now
    )
    status = add_command(
        verbs, "status", "what this node's calendar holds", "hermes timestamp status", _status
    )
    for command in (stamp, upgrade):
        command.add_argument("--calendar", metavar="URL", help="another calendar than this node's")
    for command in (stamp, upgrade, now, status):
        add_json(command)


async def _stamp(args: argparse.Namespace, world: World) -> int:
    if bool(args.file) == bool(args.digest):
        raise Usage("give a file or --digest, one of them", "hermes timestamp stamp FILE")
    stamps = await anyio.to_thread.run_sync(load, "stamps")
    digest = await digest_named(stamps, args, world, args.file)
    out = world.cwd / (args.out or f"{args.file or digest.hex()}.ots")
    await anyio.to_thread.run_sync(check_free, out)
    # A calendar, and whoever gets a neighbour's proof, sees the blinded digest only.
    nonce = os.urandom(_NONCE)
    async with _source(args, world) as source:
        answer = await source.add(stamps.blinded(digest, nonce))
    proof = stamps.stamped(digest, nonce, answer)
    await anyio.to_thread.run_sync(write_new, out, proof.encode())
    promised = [one.uri for one in proof.promised()]
    if args.json:
        told = {"proof": str(out), "digest": digest.hex(), "promised": promised}
        print_json(told, world.stdout)
    else:
        print_text(f"{out}: promised by {', '.join(promised)}", world.stdout)
        world.note("once it is anchored: hermes timestamp upgrade")
    return 0


async def _upgrade(args: argparse.Namespace, world: World) -> int:
    stamps = await anyio.to_thread.run_sync(load, "stamps")
    path = world.cwd / args.proof
    proof = await read_proof_file(stamps, path)
    before = proof.encode()
    if not proof.attested():
        async with _source(args, world) as source:
            for promise in proof.promised():
                if answer := await source.find(promise.commitment):
                    proof = proof.upgraded(promise.commitment, answer)
    if proof.encode() != before:
        await anyio.to_thread.run_sync(write_over, path, proof.encode())
    blocks = [one.height for one in proof.attested()]
    waits = sorted({one.uri for one in proof.promised()})
    if args.json:
        print_json({"complete": bool(blocks), "blocks": blocks, "promised": waits}, world.stdout)
    elif blocks:
        print_text(f"{path}: stands in block {blocks[0]}", world.stdout)
    else:
        print_text(f"{path}: still only promised by {', '.join(waits) or 'nobody'}", world.stdout)
    return 0 if blocks else 1


async def _now(args: argparse.Namespace, world: World) -> int:
    return _tell(args, world, await ask(args, world, "timestamp.now"))


async def _status(args: argparse.Namespace, world: World) -> int:
    return _tell(args, world, await ask(args, world, "timestamp.status"))


def _tell(args: argparse.Namespace, world: World, facts: dict[str, Json]) -> int:
    if args.json:
        print_json(facts, world.stdout)
        return 0
    print_text(
        f"calendar {facts['uri']}: {facts['promises']} promises,"
        f" {facts['waiting']} of them in no batch yet",
        world.stdout,
    )
    rows = [batch | {"closed": rfc3339(batch["closed"])} for batch in facts["latest"]]
    print_table(rows, _BATCHES, world.stdout, "no batches yet")
    return 0


@asynccontextmanager
async def _source(args: argparse.Namespace, world: World) -> AsyncGenerator[_Source]:
    if args.calendar:
        client: ModuleType = await anyio.to_thread.run_sync(load, "calendar_client")
        async with client.CalendarClient.open(args.calendar) as named:
            yield named
    else:
        async with world.open_client(
            args.settings, interactive=False, environ=world.environ
        ) as door:
            yield _Own(door)
