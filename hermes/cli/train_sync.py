"""`hermes train sync`: one worker of several that train a model together, or their hub."""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import anyio.to_thread
import msgspec

from hermes.cli.command import Commands, add_command, add_json, count
from hermes.cli.output import print_json
from hermes.cli.train_work import model_place, part, place, places
from hermes.cli.world import World
from hermes.config import Settings
from hermes.core.event import Json
from hermes.errors import Usage

_TOKEN = "HERMES_V2_SYNC_TOKEN"  # noqa: S105 - a variable's name
_KEY = "sync.key"
_LARGEST = 1 << 20
_EXAMPLE = "hermes train sync --data mine.jsonl --from ember --at /mnt/run --worker a --workers 4"


def add(verbs: Commands) -> None:
    """Add the verb."""
    says = "train one model on several machines that talk seldom"
    command = add_command(verbs, "sync", says, _EXAMPLE, _sync)
    option = command.add_argument
    where = "where they meet: a directory that all see, HOST:PORT or unix:PATH of a hub"
    option("--at", metavar="PLACE", help=where)
    roster = "meet over the mesh instead, without a hub: who takes part, with keys and endpoints"
    option("--mesh", type=Path, metavar="ROSTER", help=roster)
    serve = "be the hub at --at and keep the rounds in DIR"
    option("--serve", type=Path, metavar="DIR", help=serve)
    tokens = f"the hub's workers: lines `NAME TOKEN`; a worker's own stands in {_TOKEN}"
    option("--tokens", type=Path, metavar="FILE", help=tokens)
    option("--data", type=Path, action="append", default=[], metavar="FILE", help="this worker's")
    option("--worker", default="", metavar="NAME", help="this worker's name")
    option("--out", type=Path, default=Path("synced"), metavar="DIR", help="gets model.gguf")
    option("--from", dest="origin", metavar="MODEL", help="ember or a GGUF to go on from")
    option("--size", default="6m", metavar="SIZE", help="of a fresh model (6m)")
    _add_dials(command)
    add_json(command)


def _add_dials(command: argparse.ArgumentParser) -> None:
    option = command.add_argument
    option("--rounds", type=count, default=20, metavar="N", help="rounds in all (20)")
    option("--workers", type=count, default=2, metavar="N", help="how many begin (2)")
    option("--quorum", type=count, default=0, metavar="N", help="enough to go on (over half)")
    option("--deadline", type=float, default=120.0, metavar="S", help="wait for the others (120)")
    option("--inner-steps", type=count, default=50, metavar="H", help="steps a round (50)")
    option("--inner-seconds", type=float, default=0.0, metavar="S", help="a slow worker's round")
    option("--bits", type=int, choices=(1, 2, 4, 8), default=2, help="a weight's change (2)")
    option("--keep", type=float, default=1.0, metavar="X", help="share of changes sent (1)")
    outer = "below 1, with each worker on its own data: Reptile (1)"
    option("--outer-rate", type=float, default=1.0, metavar="X", help=outer)
    option("--outer-momentum", type=float, default=0.0, metavar="X", help="Nesterov's (0)")
    option("--trim", type=float, default=0.0, metavar="X", help="extremes left out (0)")
    option("--rate", type=float, default=0.0, metavar="X", help="peak inner learning rate")
    option("--length", type=count, default=256, metavar="N", help="tokens of a row (256)")
    option("--rows", type=count, default=12, metavar="N", help="rows of a step (12)")
    option("--seed", type=int, default=1, metavar="S")
    option("--device", default="", metavar="D", help="cpu or cuda (default: what is there)")


async def _sync(args: argparse.Namespace, world: World) -> int:
    if bool(args.at) == bool(args.mesh) or (args.serve and args.mesh):
        raise Usage("say where the workers meet: --at PLACE, or --mesh ROSTER", _EXAMPLE)
    return await (_serve if args.serve else _work)(args, world)


async def _work(args: argparse.Namespace, world: World) -> int:
    if not args.worker or not args.data:
        raise Usage("a worker needs --worker NAME and --data FILE", _EXAMPLE)
    sync = await part("train_sync")
    origin = model_place(args.origin, world) if args.origin else None
    data, out = places(args.data, world), place(args.out, world)
    args.at = _meeting(args.at, world) if args.at else ""
    meet = await _over_mesh(args, world, out) if args.mesh else None
    token = world.environ.get(_TOKEN, "")
    options = await anyio.to_thread.run_sync(sync.options_of, args, data, out, origin, token)
    report = await sync.work(dataclasses.replace(options, meet=meet))
    given: dict[str, Json] = msgspec.to_builtins(report)
    if args.json:
        print_json(given, world.stdout)
    else:
        said = f"{report.contributed} of {report.rounds} rounds, {report.sent} bytes sent"
        print(f"{said}: {out / sync.MODEL}", file=world.stdout)
        for worker, reasons in report.refused.items():
            print(f"  refused {worker}: {', '.join(sorted(set(reasons)))}", file=world.stdout)
    return 0


async def _over_mesh(args: argparse.Namespace, world: World, out: Path) -> Any:  # noqa: ANN401 - of a part that is loaded late
    """What opens the way to the others; its key is this machine's, for training alone."""
    settings: Settings = args.settings
    sync, mesh = await part("train_sync"), await part("train_meeting")
    roster = await anyio.to_thread.run_sync(sync.read_roster, place(args.mesh, world))
    kept = settings.data_dir / "train" / _KEY
    key = await anyio.to_thread.run_sync(sync.worker_key, kept)
    mesh.check_place(roster, args.worker, key)
    home = out / "mesh" / roster.run
    told = lambda where, error: world.note(f"  {where}: {error}")  # noqa: E731
    return lambda limit: mesh.meeting(roster, args.worker, key, home, limit, told)


async def _serve(args: argparse.Namespace, world: World) -> int:
    sync = await part("train_sync")
    if not args.tokens:
        raise Usage("a hub needs --tokens FILE: lines of NAME TOKEN")
    tokens = await anyio.to_thread.run_sync(_tokens, place(args.tokens, world))
    origin = model_place(args.origin, world) if args.origin else None
    parameters = await anyio.to_thread.run_sync(sync.parameters_of, origin, args.size)
    rounds = place(args.serve, world)
    at = _meeting(args.at, world)
    await sync.serve(rounds, tokens, at, parameters, ready=lambda _: world.note(f"hub at {at}"))
    return 0


def _meeting(text: str, world: World) -> str:
    """A directory or a socket's path made absolute; HOST:PORT as it is."""
    kind, colon, rest = text.partition(":")
    if kind == "unix" and colon:
        return f"unix:{place(Path(rest), world)}"
    return text if text.rpartition(":")[2].isdecimal() else str(place(Path(text), world))


def _tokens(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8") if path.stat().st_size <= _LARGEST else ""
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(f"{path} cannot be read: {error}") from error
    pairs = [line.split() for line in text.splitlines() if line.strip()]
    if not pairs or any(len(pair) != 2 for pair in pairs):  # noqa: PLR2004 - name and token
        raise Usage(f"{path} holds no lines of NAME TOKEN")
    return dict(pairs)
