"""`hermes anchor handoff` and `hermes anchor recover`: the coin goes to a successor.

Between two instances only files go, by any medium. The recovery key is read by a process of its
own, which ends with its signature.
"""

import argparse
import base64
import sys
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

from hermes.cli.asking import ask
from hermes.cli.command import Commands, add_command, add_json, add_verbs
from hermes.cli.fee_rate import fee_rate
from hermes.cli.output import print_json, print_text
from hermes.cli.stamp_files import read_some
from hermes.cli.world import World
from hermes.core.event import Json
from hermes.errors import ChainError, HermesError, Refused, Usage
from hermes.models.engine_process import command_of
from hermes.node.new_file import check_free, write_new
from hermes.sandbox.stdin import stdin_of

_MOST = 48 << 20
_SIGNER = "hermes.chain.recovery_signer"
_ANSWER_S = 600.0
_PATIENCE_S = 20.0
_STATES = ("seen", "mined", "settled", "final")
_REQUEST = ("psbt", "old", "new", "fee_most", "fee_rate_most")


def add(verbs: Commands) -> None:
    """Add the verbs to the noun `anchor`."""
    noun = add_command(
        verbs,
        "handoff",
        "give the coin to a successor, both signing",
        "hermes anchor handoff offer --to genesis.cbor --out offer.handoff",
    )
    steps = add_verbs(noun)
    stake = add_command(
        steps,
        "stake",
        "the old instance anchors, and pays the successor its stake",
        "hermes anchor handoff stake --to genesis.cbor",
        _stake,
    )
    offer = add_command(
        steps,
        "offer",
        "the old instance names its successor and signs",
        "hermes anchor handoff offer --to genesis.cbor --out offer.handoff",
        _offer,
    )
    offer.add_argument("--verdict", default="", metavar="CID", help="why: a verdict's name")
    accept = add_command(
        steps,
        "accept",
        "the successor checks all of it and signs",
        "hermes anchor handoff accept offer.handoff --out accepted.handoff",
        _accept,
    )
    finish = add_command(
        steps,
        "finish",
        "either instance sends what both signed",
        "hermes anchor handoff finish accepted.handoff",
        _finish,
    )
    recover = add_command(
        verbs,
        "recover",
        "take a dead predecessor's coin with its recovery key",
        "hermes anchor recover --record line.hrml --key recovery.key",
        _recover,
    )
    for command in (stake, offer):
        command.add_argument(
            "--to", required=True, metavar="FILE", help="the successor's genesis.cbor"
        )
    for command in (accept, finish):
        command.add_argument("file", metavar="FILE", help="what the other instance wrote")
    for command in (offer, accept):
        command.add_argument("--out", required=True, metavar="FILE", help="a file not there yet")
    recover.add_argument(
        "--record", required=True, metavar="FILE", help="its lineage (hermes trust export)"
    )
    recover.add_argument("--key", metavar="FILE", help="the recovery key; else it is asked for")
    for command in (stake, offer, recover):
        command.add_argument(
            "--fee-rate",
            type=fee_rate,
            default=0.0,
            metavar="N",
            help="satoshi a vbyte, else the network's",
        )
    for command in (stake, offer, accept, recover):
        command.add_argument(
            "--fingerprint", default="", metavar="TEXT", help="the identity's, for the main network"
        )
    for command in (stake, finish, recover):
        command.add_argument("--wait", choices=_STATES, help="until it is that far")
    for command in (stake, offer, accept, finish, recover):
        add_json(command)


async def _stake(args: argparse.Namespace, world: World) -> int:
    to = await _file(world, args.to)
    told = await ask(
        args,
        world,
        "anchor.handoff.stake",
        to=to,
        rate=args.fee_rate,
        fingerprint=args.fingerprint,
    )
    told |= await _wait(args, world, told)
    says = f"{told['sat']} sat for the successor, in {told['txid']}"
    return _say(args, world, told, f"{says}; once mined: hermes anchor handoff offer")


async def _offer(args: argparse.Namespace, world: World) -> int:
    out = await _free(world, args.out)
    told = await ask(
        args,
        world,
        "anchor.handoff.offer",
        to=await _file(world, args.to),
        verdict=args.verdict,
        rate=args.fee_rate,
        fingerprint=args.fingerprint,
    )
    told = await _write(out, told)
    return _say(args, world, told, f"{args.out}: now the successor: hermes anchor handoff accept")


async def _accept(args: argparse.Namespace, world: World) -> int:
    out = await _free(world, args.out)
    told = await ask(
        args,
        world,
        "anchor.handoff.accept",
        file=await _file(world, args.file),
        fingerprint=args.fingerprint,
    )
    told = await _write(out, told)
    return _say(args, world, told, f"{args.out}: now both: hermes anchor handoff finish")


async def _finish(args: argparse.Namespace, world: World) -> int:
    file = await _file(world, args.file)
    told = await ask(args, world, "anchor.handoff.finish", file=file)
    told |= await _wait(args, world, told)
    return _say(args, world, told, f"{told['old']} handed over to {told['new']}, in {told['txid']}")


async def _recover(args: argparse.Namespace, world: World) -> int:
    record = await _file(world, args.record)
    async with world.open_client(args.settings, interactive=False, environ=world.environ) as door:
        draft = await door.query(
            "anchor.recover", record=record, rate=args.fee_rate, fingerprint=args.fingerprint
        )
        if draft["blocks_left"]:
            raise Refused(
                f"the recovery key may not act yet: {draft['blocks_left']} blocks are left",
                "a predecessor that lives stops it with any anchor",
            )
        key = str(world.cwd / args.key) if args.key else ""
        signed = await _signed({name: draft[name] for name in _REQUEST} | {"key": key})
        told = await door.query("anchor.recover.finish", record=record, psbt=signed)
    told |= await _wait(args, world, told)
    says = f"{told['new']} took the coin of {told['old']}, in {told['txid']}"
    return _say(args, world, told, says)


async def _signed(request: dict[str, Json]) -> str:
    """What the recovery key's own process made of it; raises Refused."""
    command = command_of(sys.executable, _SIGNER)
    line = msgspec.json.encode(request) + b"\n"
    with anyio.fail_after(_ANSWER_S), await anyio.to_thread.run_sync(stdin_of, line) as stdin:
        done = await anyio.run_process(command, stdin=stdin, stderr=None, check=False)
    try:
        answer = msgspec.json.decode(done.stdout, type=dict[str, str])
    except msgspec.DecodeError as error:
        raise HermesError("the recovery key's process ended without an answer") from error
    if "psbt" not in answer:
        raise Refused(answer.get("refused", "nothing was signed"), answer.get("remedy", ""))
    return answer["psbt"]


async def _wait(args: argparse.Namespace, world: World, told: Json) -> dict[str, Json]:
    """Watch the transaction until it is as far as was asked; raises ChainError when it is lost."""
    if not args.wait:
        return {}
    reached = ("lost", "draft", "sent", *_STATES)
    async with world.open_client(args.settings, interactive=False, environ=world.environ) as door:
        while True:
            found = await door.query(
                "anchor.wait", id=told["id"], state=args.wait, seconds=_PATIENCE_S
            )
            if found["state"] == "lost":
                raise ChainError("the transaction is lost", "see: hermes anchor status")
            if reached.index(found["state"]) >= reached.index(args.wait):
                return {"state": found["state"]}
            world.note(f"{found['state']}: {found['says'] or 'waiting for the network'}")


def _say(args: argparse.Namespace, world: World, told: Json, says: str) -> int:
    if args.json:
        print_json(told, world.stdout)
    else:
        print_text(says, world.stdout)
    return 0


async def _file(world: World, name: str) -> str:
    data = await anyio.to_thread.run_sync(read_some, world.cwd / name, _MOST + 1)
    if len(data) > _MOST:
        raise Usage(f"{name} is larger than any such file")
    return base64.b64encode(data).decode()


async def _free(world: World, name: str) -> Path:
    path = world.cwd / name
    await anyio.to_thread.run_sync(check_free, path)
    return path


async def _write(out: Path, told: dict[str, Json]) -> dict[str, Json]:
    data = base64.b64decode(told["file"])
    await anyio.to_thread.run_sync(write_new, out, data)
    return {"out": str(out), "bytes": len(data)}
