"""`hermes train curate` and `curriculum`: conversations to learn from."""

import argparse
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from subprocess import DEVNULL

import anyio
import msgspec

from hermes.cli.command import Commands, add_command, add_json, count
from hermes.cli.output import print_json
from hermes.cli.train_work import blocking, model_place, part, place
from hermes.cli.world import World
from hermes.config import Settings
from hermes.core.event import Json

_STORE = "hermes.db"
_GIT_S = 2.0
_ROOT = "root"  # everybody's: it names nobody


def add(verbs: Commands) -> None:
    """Add the verbs."""
    _add_curate(verbs)
    _add_curriculum(verbs)


def _add_curate(verbs: Commands) -> None:
    says = "turn your conversations into training data, without secrets"
    command = add_command(verbs, "curate", says, "hermes train curate --out curated", _curate)
    option = command.add_argument
    option("--out", type=Path, required=True, metavar="DIR", help="gets train and heldout.jsonl")
    option("--project", metavar="DIR", type=Path, help="only this project's conversations")
    option("--since", type=count, default=0, metavar="DAYS", help="only those of the last DAYS")
    option("--held-out", type=float, default=0.1, metavar="X", help="share kept from training")
    option("--owner", action="append", default=[], metavar="NAME", help="a name to be replaced")
    text = "tool calls as JSON text (axolotl) instead of objects (trl)"
    option("--arguments-text", action="store_true", help=text)
    option("--tools", action="store_true", help="write the tools' schemas into every line")
    add_json(command)


def _add_curriculum(verbs: Commands) -> None:
    says = "write conversations that exercise the runtime's tools"
    example = "hermes train curriculum --count 10000 --seed 1 --out curriculum.jsonl"
    command = add_command(verbs, "curriculum", says, example, _curriculum)
    option = command.add_argument
    option("--count", type=count, default=10_000, metavar="N", help="conversations (10000)")
    option("--seed", type=int, default=1, metavar="S", help="the same seed: the same data")
    option("--out", type=Path, required=True, metavar="FILE", help="FILE.jsonl, or a shard's DIR")
    option("--intent", action="append", default=[], metavar="TOOL", help="only such requests")
    option("--copying", action="store_true", help="bare copying instead, to begin with")
    brief = "share that is one request and its calls"
    option("--brief", type=float, default=0.0, metavar="X", help=f"{brief} (0)")
    long = "share of many exchanges"
    option("--long", type=float, default=0.05, metavar="X", help=f"{long} (0.05)")
    option("--vocabulary", type=count, default=2_048, metavar="N", help="tokens of a shard (2048)")
    like = "a shard gets the vocabulary of this GGUF, shard or tokenizer.json"
    option("--like", metavar="MODEL", help=like)
    add_json(command)


async def _curate(args: argparse.Namespace, world: World) -> int:
    settings: Settings = args.settings
    module = await part("train_curate")
    now_ms: int = module.SystemClock().now_ms()
    options = module.Options(
        out=place(args.out, world),
        root=str(place(args.project, world).resolve()) if args.project else None,
        since=now_ms - args.since * 86_400_000 if args.since else 0,
        held_out=args.held_out,
        owner=(*args.owner, *await _names(world)),
        arguments="text" if args.arguments_text else "object",
        tools=(await part("train_tools")).offered().specs if args.tools else (),
    )
    async with module.Transcripts.open(settings.data_dir / _STORE) as transcripts:
        told = lambda done, of: world.note(f"  {done} of {of} conversations")  # noqa: E731
        summary = await module.curate(transcripts, options, progress=told)
    given: dict[str, Json] = msgspec.to_builtins(summary)
    return _say(args, world, given, f"wrote {given['lines']} lines to {given['out']}")


async def _names(world: World) -> set[str]:
    """Names of the owner that the machine knows: they are replaced wherever they stand."""
    names = {world.home.name, *map(world.environ.get, ("USER", "LOGNAME"))}
    with anyio.move_on_after(_GIT_S), suppress(OSError):
        asked = ("git", "config", "user.name")
        done = await anyio.run_process(asked, cwd=world.cwd, check=False, stderr=DEVNULL)
        names.add(done.stdout.decode(errors="replace").strip())
    return {name for name in names if name and name != _ROOT}


async def _curriculum(args: argparse.Namespace, world: World) -> int:
    module = await part("train_generate")
    order = module.Order(
        out=place(args.out, world),
        count=args.count,
        seed=args.seed,
        intents=tuple(args.intent),
        copying=args.copying,
        like=model_place(args.like, world) if args.like else None,
        vocabulary=args.vocabulary,
        brief=args.brief,
        long=args.long,
    )
    written = await blocking(order.out, partial(module.write, order))
    given = {
        "path": str(written.path),
        "conversations": written.conversations,
        "tokens": written.tokens,
    }
    tokens = f", {written.tokens} tokens" if written.tokens else ""
    return _say(
        args, world, given, f"{written.conversations} conversations{tokens}: {written.path}"
    )


def _say(args: argparse.Namespace, world: World, given: Mapping[str, Json], text: str) -> int:
    if args.json:
        print_json(dict(given), world.stdout)
    else:
        print(text, file=world.stdout)
    return 0
