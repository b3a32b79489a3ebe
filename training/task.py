"""Trains our own model from beginning to end: from nothing, or on from a GGUF with replay.

Going on from Ember is the continual loop: the owner's curated conversations, the curriculum mixed
in so that nothing is forgotten, and both measured before and after.
"""

import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch

from hermes.errors import Usage
from training import materials
from training.curve import draw
from training.device import pick_device
from training.export import export
from training.gguf_weights import load_gguf, vocabulary
from training.held_out import mean_loss
from training.held_out_cases import write_cases
from training.metrics import FILE
from training.model import Model
from training.schedule import PHASES, Phase, Rate
from training.sizes import SIZES, Size, sized
from training.tokenizer import Tokenizer
from training.trainer import Plan, Trainer, fresh
from training.whole import write_whole

MODEL, CURVE, CASES = "model.gguf", "curve.svg", "held_out_cases.jsonl"
_GENTLER = 5  # a trained model goes on with this part of the rate it began with
_LONG_ENOUGH_TO_COMPILE = 3.0  # minutes
_ROUNDS = 4  # over the data, where no budget is named
_STEPS = (120, 2_000)
_FRESH_COUNT = 200_000
_SHORT, _LONG = 768, 4_096


@dataclass(frozen=True)
class Task:
    """What is asked. `tokens` or `minutes` is the budget; going on needs none.

    `origin`: a GGUF to go on from; without it a fresh model of `size`. `data`, `held_out`,
    `replay`, `count`, `intents`: see `training.materials.Wanted`. `bf16` None: what a timed
    step says.
    """

    out: Path
    origin: Path | None = None
    size: str = "6m"
    data: tuple[Path, ...] = ()
    held_out: tuple[Path, ...] = ()
    replay: float = 0.5
    count: int = 0
    intents: tuple[str, ...] = ()
    vocabulary: int = 2_048
    tokens: int = 0
    minutes: float = 0.0
    batch: int = 0
    rate: float = 0.0
    phases: tuple[Phase, ...] = ()
    seed: int = 1
    threads: int = 0
    device: str = ""
    bf16: bool | None = None
    compiled: bool = True
    kind: str = "q8_0"
    name: str = "ember"
    resume: bool = False


class Trained(msgspec.Struct, frozen=True):
    """What became of it: mean loss by what was held out, before and after; the model's file.

    `before` is empty for a fresh model. `cases`: what was held out, for an evaluation; empty
    where it holds no call.
    """

    model: str
    parameters: int
    steps: int
    tokens: int
    seconds: float
    loss: float
    before: dict[str, float]
    after: dict[str, float]
    finished: bool
    cases: str = ""


def train(task: Task, watch: Callable[[Trainer], None] = lambda _: None) -> Trained:
    """Train and export; blocks for as long as it takes. `watch` is given the trainer to stop it.

    Raises Usage, DataInvalid, WeightsInvalid and TrainingError.
    """
    if not task.origin and not (task.tokens or task.minutes):
        raise Usage("a model from nothing needs a budget", "--minutes M or --tokens N")
    if task.tokens and task.minutes:
        raise Usage("a budget is --minutes or --tokens, one of the two")
    if task.threads:
        torch.set_num_threads(task.threads)
    tokenizer = vocabulary(task.origin) if task.origin else None
    given = materials.gather(_wanted(task), tokenizer)
    tokenizer = tokenizer or given.shard.tokenizer
    model, size = _model(task, tokenizer)
    trainer = Trainer(model, given.shard, _plan(task, size, given, model), task.out, given.added)
    watch(trainer)
    before = _losses(model, given) if task.origin else {}
    if task.resume:
        trainer.resume()
    progress = trainer.run()
    export(model, tokenizer, task.out / MODEL, kind=task.kind, name=task.name)
    draw(task.out / FILE, task.out / CURVE)
    cases = task.out / CASES
    report = Trained(
        model=str(task.out / MODEL),
        parameters=model.shape.parameters(),
        steps=progress.step,
        tokens=progress.tokens,
        seconds=round(progress.seconds, 1),
        loss=progress.loss,
        before=before,
        after=_losses(model, given),
        finished=trainer.spent >= 1,
        cases=str(cases) if write_cases(cases, given.held) else "",
    )
    written = msgspec.json.format(msgspec.json.encode(report), indent=1)
    write_whole(task.out / "report.json", lambda beside: beside.write_bytes(written))
    return report


def _wanted(task: Task) -> materials.Wanted:
    return materials.Wanted(
        out=task.out,
        data=task.data,
        held_out=task.held_out,
        replay=task.replay,
        count=task.count or (0 if task.data else _FRESH_COUNT),
        seed=task.seed,
        intents=task.intents,
        vocabulary=task.vocabulary,
        fresh=not task.origin,
    )


def _model(task: Task, tokenizer: Tokenizer) -> tuple[Model, Size]:
    """The model on its device, and the size whose rate and batch suit it."""
    if task.origin:
        model = load_gguf(task.origin, tokenizer)
        many = model.shape.parameters()
        size = min(SIZES.values(), key=lambda one: abs(one.shape.parameters() - many))
    else:
        try:
            size = sized(task.size, len(tokenizer))
        except ValueError as error:
            raise Usage(str(error)) from error
        model = fresh(size.shape, task.seed, checkpointing=size.checkpointing)
    return model.to(pick_device(task.device)), size


def _plan(task: Task, size: Size, given: materials.Materials, model: Model) -> Plan:
    batch = task.batch or (size.tokens // 2 if task.origin else size.tokens)
    rate = task.rate or (size.rate / _GENTLER if task.origin else size.rate)
    steps = math.ceil(task.tokens / batch)
    if not steps and not task.minutes:
        wanted = _ROUNDS * len(given.shard.tokens) / (1 - task.replay) / batch
        steps = round(min(max(wanted, _STEPS[0]), _STEPS[1]))
    phases = task.phases or (_going_on(given, model) if task.origin else PHASES)
    long = not steps and task.minutes >= _LONG_ENOUGH_TO_COMPILE
    able = model.cos.device.type == "cuda" or bool(shutil.which("c++") or shutil.which("g++"))
    return Plan(
        tokens=batch,
        micro=size.micro,
        rate=Rate(rate, warmup=min(80, max(1, steps // 10)) if steps else 80),
        phases=phases,
        steps=steps,
        minutes=task.minutes,
        seed=task.seed,
        bf16=task.bf16,
        compiled=task.compiled and long and able,
    )


def _going_on(given: materials.Materials, model: Model) -> tuple[Phase, ...]:
    """Rows as long as the data wants, short ones first: they are cheaper."""
    longest = min(int(given.shard.lengths.max()), _LONG, model.shape.context)
    if longest <= _SHORT:
        return (Phase(min(_SHORT, model.shape.context), 1.0),)
    return (Phase(_SHORT, 0.6), Phase(longest, 1.0))


def _losses(model: Model, given: materials.Materials) -> dict[str, float]:
    return {name: mean_loss(model, shard) for name, shard in given.measured.items()}
