"""`hermes anchor`: the log's checkpoint in a Bitcoin transaction, and what became of it."""

import argparse
import base64
from pathlib import Path

import anyio.to_thread

from hermes.cli import anchor_proof, handoff
from hermes.cli.asking import ask
from hermes.cli.command import Commands, add_command, add_json, add_verbs
from hermes.cli.fee_rate import fee_rate
from hermes.cli.output import print_json, print_table, print_text
from hermes.cli.world import World
from hermes.core.event import Json
from hermes.errors import ChainError
from hermes.node.new_file import check_free, write_new

_STATES = ("sent", "seen", "mined", "settled", "final")
_UNDER_WAY = ("draft", "sent", "seen")
_REACHED = ("lost", "draft", *_STATES)
_COLUMNS = (
    ("kind", "KIND", 12),
    ("state", "STATE", 8),
    ("size", "ENTRIES", 10),
    ("height", "BLOCK", 9),
    ("fee", "FEE", 8),
    ("txid", "TRANSACTION", 64),
    ("says", "SAYS", 80),
)
_PATIENCE_S = 20.0
_WAITS = "the anchor before it is not in a block yet"
_LOOK = "a running node goes on with it by itself; without one: hermes anchor now --wait mined"


def add(commands: Commands) -> None:
    """Add the noun and its verbs."""
    example = "hermes anchor now --regtest --wait mined"
    noun = add_command(commands, "anchor", "put the log's root into Bitcoin", example)
    verbs = add_verbs(noun)
    now = add_command(verbs, "now", "anchor the log as it is", example, _now)
    now.add_argument("--regtest", action="store_true", help="refuse any other network")
    now.add_argument(
        "--fee-rate",
        type=fee_rate,
        default=0.0,
        metavar="N",
        help="satoshi a vbyte, else the network's",
    )
    now.add_argument("--wait", choices=_STATES, help="until it is that far")
    now.add_argument("--out", metavar="FILE", help="waits for a block, then writes its proof")
    now.add_argument(
        "--fingerprint", default="", metavar="TEXT", help="the identity's, for the main network"
    )
    status = add_command(
        verbs, "status", "every anchor, and the address to pay to", "hermes anchor status", _status
    )
    resume = add_command(
        verbs, "resume", "look again after an alarm", "hermes anchor resume", _resume
    )
    for command in (now, status, resume):
        add_json(command)
    add_more(verbs)


def add_more(verbs: Commands) -> None:
    """Add what other files know of anchors."""
    anchor_proof.add(verbs)
    handoff.add(verbs)


async def _now(args: argparse.Namespace, world: World) -> int:
    out = world.cwd / args.out if args.out else None
    if out is not None:
        await anyio.to_thread.run_sync(check_free, out)
    typed = args.fingerprint or await _typed(args, world)
    anchor = await ask(
        args, world, "anchor.now", rate=args.fee_rate, fingerprint=typed, regtest=args.regtest
    )
    until = args.wait or ("mined" if out else "")
    if out is not None and _REACHED.index(until) < _REACHED.index("mined"):
        until = "mined"
    if until:
        anchor = await _wait(args, world, anchor, until)
    if out is not None:
        anchor |= await _prove(args, world, anchor, out)
    if args.json:
        print_json(anchor, world.stdout)
    else:
        for line in _words(anchor):
            print_text(line, world.stdout)
    return 0


async def _status(args: argparse.Namespace, world: World) -> int:
    told = await ask(args, world, "anchor.status")
    if args.json:
        print_json(told, world.stdout)
        return 0
    if told["halted"]:
        print_text(f"HALTED: {told['halted']['says']}", world.stdout)
        print_text("  find out who holds the key; then: hermes anchor resume", world.stdout)
    server = told["server"] or "no server is configured (chain.backend)"
    print_text(f"network  {told['network']}, {server}", world.stdout)
    print_text(f"pay to   {told['address']}", world.stdout)
    spent = f"{told['month_spent']} of {told['month_most']} sat in 30 days"
    print_text(f"fees     {spent}, {told['fee_most']} for one at most", world.stdout)
    print(file=world.stdout)
    print_table(told["anchors"], _shown(told["anchors"]), world.stdout, "no anchors yet")
    if any(one["state"] in _UNDER_WAY for one in told["anchors"]):
        print_text(f"\nas they stood when last looked at; {_LOOK}", world.stdout)
    return 0


async def _resume(args: argparse.Namespace, world: World) -> int:
    told = await ask(args, world, "anchor.resume")
    if args.json:
        print_json(told, world.stdout)
    else:
        print("no alarm: anchors go on", file=world.stdout)
    return 0


async def _wait(
    args: argparse.Namespace, world: World, anchor: dict[str, Json], state: str
) -> dict[str, Json]:
    """Ask again and again, through one door: an owner that ends takes its view along."""
    async with world.open_client(args.settings, interactive=False, environ=world.environ) as door:
        while _REACHED.index(anchor["state"]) < _REACHED.index(state):
            world.note(f"{anchor['state']}: {anchor['says'] or _waits(anchor)}")
            anchor = await door.query(
                "anchor.wait", id=anchor["id"], state=state, seconds=_PATIENCE_S
            )
            if anchor["state"] == "lost":
                raise ChainError("the anchor is lost", "see: hermes anchor status")
    return anchor


async def _prove(
    args: argparse.Namespace, world: World, anchor: dict[str, Json], out: Path
) -> dict[str, Json]:
    """The proof of the newest entry that the anchor speaks of, its content left out."""
    made = await ask(args, world, "anchor.prove", name=anchor["leaf"], show=False)
    data = base64.b64decode(made["bundle"])
    await anyio.to_thread.run_sync(write_new, out, data)
    return {"out": str(out), "bytes": len(data)}


async def _typed(args: argparse.Namespace, world: World) -> str:
    """The third key to the main network, from the person at the terminal."""
    if args.settings.chain.network != "main" or not world.stdin.isatty():
        return ""
    print("This spends real bitcoin. Type the identity's fingerprint:", file=world.stderr)
    return (await anyio.to_thread.run_sync(world.stdin.readline)).strip()


def _waits(anchor: dict[str, Json]) -> str:
    return "waiting for the network" if anchor["txid"] else _WAITS


def _words(anchor: dict[str, Json]) -> list[str]:
    what = f"{anchor['kind']} anchor, {anchor['state']}"
    lines = [f"{what}: {anchor['txid'] or anchor['says'] or _WAITS}"]
    if anchor["txid"]:
        lines.append(f"  {anchor['fee']} sat, {anchor['rate']} sat/vB")
    if anchor["block"]:
        lines.append(f"  block {anchor['height']}: {anchor['block']}")
    if anchor["says"] and anchor["txid"]:
        lines.append(f"  {anchor['says']}")
    if not anchor["txid"]:
        lines.append(f"  {_LOOK}")
    if "out" in anchor:
        lines.append(f"  {anchor['out']}: {anchor['bytes']} bytes")
    return lines


def _shown(rows: list[Json]) -> list[tuple[str, str, int]]:
    """The columns that any row fills."""
    return [column for column in _COLUMNS if any(row.get(column[0]) for row in rows)]
