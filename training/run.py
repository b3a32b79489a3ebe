"""The command line of the trainer: `python -m training.trainer --shard DIR --size 6m …`."""

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

import torch

from hermes.errors import HermesError
from training.curve import draw
from training.dataset import Shard
from training.device import pick_device
from training.estimate import estimate
from training.export import KINDS, export
from training.gguf_weights import load_gguf
from training.metrics import FILE
from training.mixture import Added
from training.schedule import PHASES, Rate, parse_phases
from training.sharding import Group
from training.sizes import SIZES, Size, sized
from training.trainer import Plan, Trainer, fresh

MODEL = "model.gguf"
CURVE = "curve.svg"
PRECISIONS = {"timed": None, "bf16": True, "fp32": False}


def parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="python -m training.trainer", description="Trains a model from scratch, or goes on."
    )
    add = parser.add_argument
    add("--shard", type=Path, help="directory that write_shard made")
    add("--out", type=Path, help="directory of the run; resumed where it has a checkpoint")
    add("--size", default="6m", choices=SIZES)
    add("--estimate", action="store_true", help="print what the size costs here, and end")
    add("--from", dest="origin", type=Path, help="a GGUF to go on from")
    add("--minutes", type=float, default=0.0)
    add("--steps", type=int, default=0)
    add("--until", type=float, default=1.0, help="share of the budget at which to stop, to go on")
    add("--tokens", type=int, default=0, help="tokens of a step")
    add("--micro", type=int, default=-1, help="tokens that go through at once; 0: all")
    add("--rate", type=float, default=0.0, help="peak learning rate")
    add("--warmup", type=int, default=80, help="steps in which the rate rises")
    add("--decay", type=float, default=0.3, help="share of the budget in which the rate falls")
    add("--phases", type=parse_phases, default=PHASES, help="256:0.55,768:0.88,2048:1")
    add("--warm", type=Path, help="a shard mixed in at the start (copying)")
    add("--warm-share", type=float, default=0.4)
    add("--warm-until", type=float, default=0.05, help="share of the budget")
    add("--replay", type=Path, help="a shard mixed in all the time, lest it be forgotten")
    add("--replay-share", type=float, default=0.5)
    add("--optimizer", default="muon", choices=("muon", "adamw"), help="of one device")
    add("--unmasked", action="store_true", help="attention across conversations of a row")
    add("--seed", type=int, default=1)
    add("--threads", type=int, default=0)
    add("--device", default="", help="cpu, cuda; default: what is there")
    add("--precision", default="timed", choices=PRECISIONS)
    add("--eager", action="store_true", help="don't compile")
    add("--type", dest="kind", default="q8_0", choices=KINDS, help="of the exported model")
    add("--name", default="ember")
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Train, export, draw the curve; SIGTERM and SIGINT save and stop."""
    options = parser()
    args = options.parse_args(arguments)
    if not args.estimate and not (args.shard and args.out):
        options.error("--shard and --out are wanted")
    if args.threads:
        torch.set_num_threads(args.threads)
    try:
        if args.estimate:
            vocab = len(Shard(args.shard).tokenizer) if args.shard else 2_048
            print(estimate(sized(args.size, vocab), pick_device(args.device)).text())
            return
        _train(args)
    except HermesError as error:
        print(f"{error.message}\n{error.remedy}".strip(), file=sys.stderr)
        sys.exit(error.exit_code)


def _train(args: argparse.Namespace) -> None:
    device = pick_device(args.device)
    group = Group.join(device)
    shard = Shard(args.shard)
    size = sized(args.size, len(shard.tokenizer))
    if args.origin:
        model = load_gguf(args.origin, shard.tokenizer)
    else:
        model = fresh(size.shape, args.seed, checkpointing=size.checkpointing)
    trainer = Trainer(model.to(device), shard, _plan(args, size), args.out, _added(args), group)

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        trainer.stop = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    if trainer.resume() and group.first:
        print(f"going on at step {trainer.progress.step}")
    progress = trainer.run()
    whole = trainer.whole()
    if group.first:
        longest = max(phase.length for phase in args.phases)  # beyond it nothing was learnt
        words, out = shard.tokenizer, args.out / MODEL
        export(whole, words, out, kind=args.kind, name=args.name, window=longest)
        draw(args.out / FILE, args.out / CURVE)
        print(f"step {progress.step}, loss {progress.loss:.4f}: {args.out / MODEL}")
    group.leave()


def _plan(args: argparse.Namespace, size: Size) -> Plan:
    return Plan(
        tokens=args.tokens or size.tokens,
        micro=args.micro if args.micro >= 0 else size.micro,
        rate=Rate(args.rate or size.rate, args.warmup, args.decay),
        phases=args.phases,
        steps=args.steps,
        minutes=args.minutes,
        until=args.until,
        seed=args.seed,
        masked=not args.unmasked,
        muon=args.optimizer == "muon",
        compiled=not args.eager,
        bf16=PRECISIONS[args.precision],
    )


def _added(args: argparse.Namespace) -> list[Added]:
    added = []
    if args.warm:
        added.append(Added(Shard(args.warm), args.warm_share, args.warm_until))
    if args.replay:
        added.append(Added(Shard(args.replay), args.replay_share))
    return added
