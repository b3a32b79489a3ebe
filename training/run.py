"""The command line of the trainer: `python -m training.trainer --shard DIR --size 6m …`."""

import argparse
import signal
from dataclasses import replace
from pathlib import Path
from types import FrameType

import torch

from training.curve import draw
from training.dataset import Shard
from training.export import export
from training.gguf_weights import load_gguf
from training.metrics import FILE
from training.schedule import PHASES, Rate, parse_phases
from training.sizes import SIZES, sized
from training.trainer import Plan, Trainer, fresh

MODEL = "model.gguf"


def parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m training.trainer", description=__doc__)
    add = parser.add_argument
    add("--shard", type=Path, required=True, help="directory that write_shard made")
    add("--warm", type=Path, help="a shard mixed in at the start (copying)")
    add("--out", type=Path, required=True, help="directory of the run; resumed where it has one")
    add("--size", default="6m", choices=SIZES)
    add("--from", dest="origin", type=Path, help="a GGUF to go on from")
    add("--minutes", type=float, default=0.0)
    add("--steps", type=int, default=0)
    add("--tokens", type=int, default=0, help="tokens of a step")
    add("--rate", type=float, default=0.0, help="peak learning rate")
    add("--warmup", type=int, default=80)
    add("--decay", type=float, default=0.3, help="share of the budget in which the rate falls")
    add("--phases", type=parse_phases, default=PHASES, help="256:0.55,768:0.88,2048:1")
    add("--seed", type=int, default=1)
    add("--threads", type=int, default=0)
    add("--device", default="")
    add("--masked", action="store_true", help="no attention across conversations of a row")
    add("--eager", action="store_true", help="don't compile")
    add("--type", dest="kind", default="q8_0", choices=("f32", "f16", "q8_0", "q4_0"))
    add("--name", default="ember")
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Train, export, draw the curve; SIGTERM and SIGINT save and stop."""
    args = parser().parse_args(arguments)
    if args.threads:
        torch.set_num_threads(args.threads)
    shard = Shard(args.shard)
    size = sized(args.size, len(shard.tokenizer))
    if args.origin:
        model = load_gguf(args.origin, shard.tokenizer)
    else:
        model = fresh(size.shape, args.seed, checkpointing=size.checkpointing)
    plan = Plan(
        tokens=args.tokens or size.tokens,
        rate=Rate(args.rate or size.rate, args.warmup, args.decay),
        phases=args.phases,
        steps=args.steps,
        minutes=args.minutes,
        seed=args.seed,
        compiled=not args.eager,
    )
    trainer = Trainer(model, shard, replace(plan, masked=args.masked), args.out, args.device)
    if args.warm:
        trainer.warm = Shard(args.warm)

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        trainer.stop = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    if trainer.resume():
        print(f"going on at step {trainer.progress.step}")
    progress = trainer.run()
    export(trainer.model, shard.tokenizer, args.out / MODEL, kind=args.kind, name=args.name)
    draw(args.out / FILE, args.out / "curve.svg")
    print(f"step {progress.step}, loss {progress.loss:.4f}: {args.out / MODEL}")
