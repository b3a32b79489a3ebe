"""`hermes anchor prove|verify|headers`: that one entry of the log existed when a block was mined.

`verify` needs no node, no store, no identity and no network.
"""

import argparse
import base64
from pathlib import Path
from typing import Any

import anyio.to_thread
import msgspec

from hermes.cli.anchor_words import words_of
from hermes.cli.asking import ask
from hermes.cli.command import Commands, add_command, add_json
from hermes.cli.output import print_json, print_text
from hermes.cli.world import World
from hermes.core.event import Json
from hermes.errors import ProofInvalid, Usage
from hermes.load import load
from hermes.node.new_file import check_free, write_new

_BUNDLE_MOST = 8 << 20
_HEADERS_MOST = 1 << 28  # the headers of sixty years


def add(verbs: Commands) -> None:
    """Add the verbs to the noun `anchor`."""
    example = 'hermes anchor prove "the words of one message" --out proof.hrmb'
    prove = add_command(verbs, "prove", "prove that an entry of the log existed", example, _prove)
    prove.add_argument("entry", metavar="MESSAGE-OR-CID", help="words of one message, or a CID")
    prove.add_argument("--out", metavar="FILE", required=True, help="a file that is not there yet")
    prove.add_argument(
        "--secret", action="store_true", help="leave the entry's content out of the proof"
    )
    verify = add_command(
        verbs,
        "verify",
        "check a proof, offline",
        "hermes anchor verify proof.hrmb --headers regtest.headers",
        _verify,
    )
    verify.add_argument("proof", metavar="FILE", help="the proof")
    by = verify.add_mutually_exclusive_group()
    by.add_argument("--headers", metavar="FILE", help="block headers (hermes anchor headers)")
    by.add_argument("--block", metavar="HASH", help="the hash of a block that you believe")
    verify.add_argument(
        "--message", metavar="FILE|TEXT", help="what the entry must say, or a file that holds it"
    )
    headers = add_command(
        verbs,
        "headers",
        "fetch block headers, to check proofs with",
        "hermes anchor headers --out regtest.headers",
        _headers,
    )
    headers.add_argument("--out", metavar="FILE", help="a file that is not there yet")
    headers.add_argument(
        "--from", metavar="HEIGHT:HASH", dest="start", help="begin at a block that you believe"
    )
    for command in (prove, verify, headers):
        add_json(command)


async def _prove(args: argparse.Namespace, world: World) -> int:
    out = world.cwd / args.out
    await anyio.to_thread.run_sync(check_free, out)
    made = await ask(args, world, "anchor.prove", name=args.entry, show=not args.secret)
    data = base64.b64decode(made.pop("bundle"))
    await anyio.to_thread.run_sync(write_new, out, data)
    if args.json:
        print_json(made | {"out": str(out), "bytes": len(data)}, world.stdout)
        return 0
    print_text(f"{args.out}: {len(data)} bytes, {made['cid']}", world.stdout)
    print_text(f"it existed before block {made['block']}, {made['time']}", world.stdout)
    if made["shown"]:
        print_text("the proof shows what the entry says; --secret leaves that out", world.stdout)
    return 0


async def _verify(args: argparse.Namespace, world: World) -> int:
    data = await anyio.to_thread.run_sync(_read, world.cwd / args.proof, _BUNDLE_MOST + 1)
    offline: Any = await anyio.to_thread.run_sync(load, "offline")
    trusted, torn = args.block, 0
    if trusted is None:
        trusted, torn = await anyio.to_thread.run_sync(_trusted, args, world.cwd)
    found = await anyio.to_thread.run_sync(offline.verify_bundle, data, trusted)
    if args.message is not None:
        given = await anyio.to_thread.run_sync(_given, world.cwd, args.message)
        found = await anyio.to_thread.run_sync(offline.saying, found, given)
    if args.json:
        print_json(msgspec.to_builtins(found), world.stdout)
        return 0
    for line in words_of(found, pinned=args.block is not None):
        print_text(line, world.stdout)
    if torn:
        world.complain(f"the headers end in the middle of one: {torn} bytes were left out")
    return 0


async def _headers(args: argparse.Namespace, world: World) -> int:
    out = world.cwd / args.out if args.out else None
    if out:
        await anyio.to_thread.run_sync(check_free, out)
    told: dict[str, Json] = await ask(args, world, "anchor.headers", start=args.start or "")
    if out:
        await anyio.to_thread.run_sync(_copy, Path(told["path"]), out)
        told["path"] = str(out)
    if args.json:
        print_json(told, world.stdout)
    else:
        print_text(
            f"{told['path']}: blocks {told['start']} to {told['height']} of {told['network']},"
            f" the last is {told['tip']}",
            world.stdout,
        )
    return 0


def _trusted(args: argparse.Namespace, cwd: Path) -> Any:  # noqa: ANN401 - loaded late
    """The headers that a proof is checked against, and how many torn bytes were left out."""
    own = args.settings.data_dir / "headers" / f"{args.settings.chain.network}.headers"
    if not args.headers and not own.exists():
        raise Usage(
            "a proof is checked against blocks that you believe",
            "give --headers FILE (hermes anchor headers) or --block HASH",
        )
    raw = _read(cwd / args.headers if args.headers else own, _HEADERS_MOST)
    return load("headers").headers_of(raw)


def _given(cwd: Path, message: str) -> bytes:
    """The bytes of a file, or else the words themselves."""
    try:
        path = cwd / message
        if path.is_file():
            return _read(path, _BUNDLE_MOST)
    except (OSError, ValueError):  # too long, or no name at all: words
        pass
    return message.encode(errors="surrogateescape")


def _copy(source: Path, out: Path) -> None:
    # Read once and checked: the owner may be writing.
    data = _read(source, _HEADERS_MOST)
    headers, _ = load("headers").headers_of(data)
    write_new(out, headers.file())


def _read(path: Path, most: int) -> bytes:
    """A file that must be smaller than `most`."""
    try:
        with path.open("rb") as file:
            data = file.read(most)
    except OSError as error:
        raise Usage(f"{path}: {error.strerror}") from error
    if len(data) == most:
        raise ProofInvalid(f"{path} is too large: {most - 1:,} bytes are read at most")
    return data
