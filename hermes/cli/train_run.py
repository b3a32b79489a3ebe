"""`hermes train run` and `export`: makes a model, or makes one better."""

import argparse
from pathlib import Path

import anyio.to_thread

from hermes.cli import train_made
from hermes.cli.command import Commands, add_command, add_json, count
from hermes.cli.output import print_json
from hermes.cli.train_work import (
    EMBER,
    blocking,
    check_out,
    long_work,
    model_place,
    part,
    place,
    places,
)
from hermes.cli.world import World
from hermes.errors import Usage

SIZES = ("1m", "3m", "6m", "10m", "30m", "100m", "300m", "1b", "3b")
_KINDS = ("f16", "q8_0", "q4_0")
_INTERRUPTED = 130
_PRECISIONS = {"timed": None, "bf16": True, "fp32": False}
_EXAMPLE = "hermes train run --from ember --data curated/train.jsonl --out better"


def add(verbs: Commands) -> None:
    """Add the verbs."""
    command = add_command(verbs, "run", "train, improve or fine-tune a model", _EXAMPLE, _run)
    option = command.add_argument
    start = "go on from ember, a GGUF of ours, or fine-tune a Hugging Face directory"
    option("--from", dest="origin", metavar="MODEL", help=start)
    option("--size", choices=SIZES, default="6m", metavar="SIZE", help=f"{', '.join(SIZES)} (6m)")
    option("--data", type=Path, action="append", default=[], metavar="FILE", help="JSON lines")
    held = "only measured, before and after (default: a tenth of --data)"
    option("--held-out", type=Path, action="append", default=[], metavar="FILE", help=held)
    replay = "share of the curriculum beside --data, lest it be forgotten (0.5)"
    option("--replay", type=float, default=0.5, metavar="X", help=replay)
    option("--lora", type=count, default=0, metavar="R", help="adapters of rank R (fine-tuning)")
    option("--minutes", type=float, default=0.0, metavar="M", help="budget")
    option("--tokens", type=count, default=0, metavar="N", help="budget")
    option("--out", type=Path, default=Path("trained"), metavar="DIR", help="the run's directory")
    option("--resume", action="store_true", help="go on with the run in --out")
    option("--estimate", action="store_true", help="say what --size costs here, and end")
    _add_dials(command)
    add_json(command)
    _add_export(verbs)


def _add_dials(command: argparse.ArgumentParser) -> None:
    option = command.add_argument
    option("--seed", type=int, default=1, metavar="S", help="the same seed: the same model")
    option("--threads", type=count, default=0, metavar="N", help="of the processor")
    option("--device", default="", metavar="D", help="cpu or cuda (default: what is there)")
    precision = "timed, bf16 or fp32 (timed: what one step says)"
    option("--precision", choices=_PRECISIONS, default="timed", help=precision)
    option("--rate", type=float, default=0.0, metavar="X", help="peak learning rate")
    option("--batch", type=count, default=0, metavar="N", help="tokens of a step")
    option("--length", type=count, default=0, metavar="N", help="longest conversation in tokens")
    option("--count", type=count, default=0, metavar="N", help="conversations of the curriculum")
    option("--intent", action="append", default=[], metavar="TOOL", help="only such requests")
    option("--vocabulary", type=count, default=2_048, metavar="N", help="of a fresh model (2048)")
    option("--type", dest="kind", choices=_KINDS, default="q8_0", help="of model.gguf (q8_0)")
    option("--name", default=EMBER, metavar="NAME", help="in model.gguf (ember)")
    option("--eager", action="store_true", help="don't compile")
    option("--no-scores", action="store_true", help="no exact-call scores before and after")


def _add_export(verbs: Commands) -> None:
    example = "hermes train export trained --type q4_0 --out small.gguf"
    command = add_command(verbs, "export", "write a model as GGUF", example, _export)
    option = command.add_argument
    what = "a run's directory, its checkpoint.pt, a GGUF, or a Hugging Face directory"
    option("checkpoint", metavar="CHECKPOINT", help=what)
    option("--type", dest="kind", choices=_KINDS, default="q8_0", help="how weights are kept")
    option("--out", type=Path, required=True, metavar="FILE", help="the GGUF")
    option("--name", default=EMBER, metavar="NAME", help="what it calls itself")
    option("--vocabulary", type=Path, metavar="FILE", help="of a checkpoint without one beside it")
    add_json(command)


async def _run(args: argparse.Namespace, world: World) -> int:
    if args.estimate:
        return await _estimate(args, world)
    out = place(args.out, world)
    await anyio.to_thread.run_sync(lambda: check_out(out, resume=args.resume))
    origin = model_place(args.origin, world) if args.origin else None
    foreign = origin is not None and await anyio.to_thread.run_sync(origin.is_dir)
    if foreign:
        assert origin
        return await _finetune(args, world, origin, out)
    if args.lora:
        raise Usage("--lora fine-tunes a Hugging Face directory", "name one with --from DIR")
    return await _task(args, world, origin, out)


async def _estimate(args: argparse.Namespace, world: World) -> int:
    module = await part("train_estimate")
    asked = (args.size, args.vocabulary, args.device)
    found = await anyio.to_thread.run_sync(module.estimate_named, *asked)
    if args.json:
        print_json(train_made.plain_estimate(found), world.stdout)
    else:
        print(found.text(), file=world.stdout)
    return 0


async def _task(args: argparse.Namespace, world: World, origin: Path | None, out: Path) -> int:
    module = await part("train_task")
    task = module.Task(
        out=out,
        origin=origin,
        size=args.size,
        data=places(args.data, world),
        held_out=places(args.held_out, world),
        replay=args.replay,
        count=args.count,
        intents=tuple(args.intent),
        vocabulary=args.vocabulary,
        tokens=args.tokens,
        minutes=args.minutes,
        batch=args.batch,
        rate=args.rate,
        phases=(module.Phase(args.length, 1.0),) if args.length else (),
        seed=args.seed,
        threads=args.threads,
        device=args.device,
        bf16=_PRECISIONS[args.precision],
        compiled=not args.eager,
        kind=args.kind,
        name=args.name,
        resume=args.resume,
    )
    trained = await long_work(out, lambda watch: module.train(task, watch), world)
    scores = None
    if origin and trained.finished and not args.no_scores:
        scores = await train_made.compare(origin, trained, args.settings, world)
    train_made.say(trained, scores, world, json=args.json)
    return 0 if trained.finished else _INTERRUPTED


async def _finetune(args: argparse.Namespace, world: World, origin: Path, out: Path) -> int:
    module = await part("train_finetune")
    if not args.data:
        raise Usage("fine-tuning needs --data FILE.jsonl", _EXAMPLE)
    order = module.Order(
        source=origin,
        data=places(args.data, world),
        out=out,
        held_out=places(args.held_out, world),
        lora=args.lora,
        tokens=args.tokens,
        minutes=args.minutes,
        batch=args.batch,
        length=args.length,
        rate=args.rate,
        seed=args.seed,
        threads=args.threads,
        device=args.device,
        bf16=_PRECISIONS[args.precision],
        kind=args.kind,
        resume=args.resume,
    )
    tuned = await long_work(out, lambda watch: module.finetune(order, watch), world)
    train_made.say(tuned, None, world, json=args.json)
    return 0 if tuned.finished else _INTERRUPTED


async def _export(args: argparse.Namespace, world: World) -> int:
    module = await part("train_convert")
    out = place(args.out, world)
    words = place(args.vocabulary, world) if args.vocabulary else None
    what = model_place(args.checkpoint, world)
    await blocking(
        out, lambda: module.convert(what, out, kind=args.kind, name=args.name, words=words)
    )
    if args.json:
        print_json({"path": str(out), "type": args.kind}, world.stdout)
    else:
        print(out, file=world.stdout)
    return 0
