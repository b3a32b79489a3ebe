"""`hermes timestamp verify|info`: what a proof says, checked with no node and no network."""

import argparse
from pathlib import Path

import anyio.to_thread

from hermes.cli.command import Commands, add_command, add_json
from hermes.cli.output import print_json, print_text
from hermes.cli.stamp_files import digest_named, digest_of_file, read_proof_file, read_some
from hermes.cli.world import World
from hermes.core.clock import rfc3339
from hermes.core.event import Json
from hermes.errors import NotAvailable, Usage
from hermes.load import load

_SUFFIX = ".ots"
_HEADERS_MOST = 1 << 30


def add(verbs: Commands) -> None:
    """Add the verbs."""
    example = "hermes timestamp verify report.pdf.ots --headers main.headers"
    verify = add_command(verbs, "verify", "check a proof, offline", example, _verify)
    verify.add_argument("proof", metavar="FILE.ots", help="the proof")
    verify.add_argument("file", metavar="FILE", nargs="?", help="the file (default: without .ots)")
    verify.add_argument("--digest", metavar="HEX", help="a SHA-256 instead of a file")
    verify.add_argument("--signature", metavar="HEX", help="the digest is a Nostr event's id")
    verify.add_argument(
        "--headers", metavar="FILE", help="block headers that you trust (hermes anchor headers)"
    )
    info = add_command(
        verbs, "info", "what a proof says", "hermes timestamp info report.pdf.ots", _info
    )
    info.add_argument("proof", metavar="FILE.ots", help="the proof")
    for command in (verify, info):
        add_json(command)


async def _verify(args: argparse.Namespace, world: World) -> int:
    if args.file and args.digest:
        raise Usage("give a file or --digest, one of them")
    stamps = await anyio.to_thread.run_sync(load, "stamps")
    proof = await read_proof_file(stamps, world.cwd / args.proof)
    if args.digest or args.signature:
        digest = await digest_named(stamps, args, world, None)
    else:
        name = args.file or args.proof.removesuffix(_SUFFIX)
        if name == args.proof:
            raise Usage("name the file that the proof is of", "hermes timestamp verify PROOF FILE")
        digest = await digest_of_file(stamps, world.cwd / name, proof.algorithm)
    if not proof.attested():
        stamps.check_proof(proof, digest, _no_header)  # says what is missing
    raw = await anyio.to_thread.run_sync(_headers, args, world)
    chain = await anyio.to_thread.run_sync(stamps.headers_in, raw)
    verdict = stamps.check_proof(proof, digest, chain.header_at)
    told: dict[str, Json] = {
        "digest": digest.hex(),
        "network": chain.network,
        "block": verdict.height,
        "at": rfc3339(verdict.at),
        "failed": list(verdict.failed),
    }
    if args.json:
        print_json(told, world.stdout)
    else:
        print_text(
            f"it existed when block {verdict.height} of {chain.network} was made, {told['at']}",
            world.stdout,
        )
    return 0


def _headers(args: argparse.Namespace, world: World) -> bytes:
    """The headers that were named, or this node's own; raises NotAvailable. Blocking."""
    if args.headers:
        return read_some(world.cwd / args.headers, _HEADERS_MOST)
    network = args.settings.chain.network
    own: Path = args.settings.data_dir / "headers" / f"{network}.headers"
    if not own.exists():
        raise NotAvailable(
            f"there are no headers of {network} here",
            "fetch them: hermes anchor headers; or name a file: --headers FILE",
        )
    return read_some(own, _HEADERS_MOST)


def _no_header(_height: int) -> None:
    """Knows no block."""


async def _info(args: argparse.Namespace, world: World) -> int:
    stamps = await anyio.to_thread.run_sync(load, "stamps")
    proof = await read_proof_file(stamps, world.cwd / args.proof)
    blocks = [{"height": one.height, "root": one.root[::-1].hex()} for one in proof.attested()]
    promises = [{"uri": one.uri, "commitment": one.commitment.hex()} for one in proof.promised()]
    if args.json:
        told = {"algorithm": proof.algorithm, "digest": proof.digest.hex()}
        print_json(told | {"blocks": blocks, "promised": promises}, world.stdout)
        return 0
    print_text(f"{proof.algorithm} {proof.digest.hex()}", world.stdout)
    for line in proof.lines():
        print_text(f"  {line}", world.stdout)
    return 0
