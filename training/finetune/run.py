"""Fine-tunes a local model from beginning to end: reads, trains, measures, exports."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import torch

from hermes.errors import Usage, WeightsInvalid
from training.conversations import Conversation, read_conversations
from training.curve import draw
from training.device import pick_device
from training.finetune.export import write_adapter, write_gguf
from training.finetune.model import LONGEST, FamilyModel, adapt, adapters, loaded, merged
from training.finetune.rows import Rows
from training.finetune.save import write_adapters, write_source
from training.finetune.source import Source, read_source
from training.finetune.template import Template, read_template
from training.finetune.vocabulary import vocabulary_of
from training.finetune.weights import kind_of
from training.finetune.words import Words
from training.held_out import mean_loss, split
from training.metrics import FILE
from training.schedule import Phase, Rate
from training.trainer import Plan, Trainer
from training.whole import write_whole

_FULL_RATE, _LORA_RATE = 2e-5, 2e-4
_LONGEST = 2_048
_ALPHA = 2.0  # times the rank
_LARGE = 300_000_000
_DECAY = 0.5
_BATCH = 4_096
_ROUNDS, _FEWEST_STEPS = 3, 20  # over the data, where no budget is named


@dataclass(frozen=True)
class Order:
    """What is asked. `tokens` or `minutes` is the budget; 0 everywhere means chosen here.

    `lora`: rank of adapters, 0 trains every weight. `length`: the longest conversation in
    tokens. `held_out`: files that are only measured; without one a part of `data` is. `bf16`
    None: what a timed step says.
    """

    source: Path
    data: tuple[Path, ...]
    out: Path
    held_out: tuple[Path, ...] = ()
    lora: int = 0
    tokens: int = 0
    minutes: float = 0.0
    batch: int = 0
    length: int = 0
    rate: float = 0.0
    seed: int = 1
    threads: int = 0
    device: str = ""
    bf16: bool | None = None
    kind: Literal["f16", "q8_0", "q4_0"] = "q8_0"
    resume: bool = False


class Tuned(msgspec.Struct, frozen=True):
    """What became of it: mean loss on what was held out, before and after; files that were made.

    `unwritten` says why there is no GGUF, empty where there is one.
    """

    parameters: int
    trained: int
    steps: int
    tokens: int
    seconds: float
    before: float | None
    after: float | None
    left_out: int
    finished: bool
    files: tuple[str, ...]
    unwritten: str = ""


def finetune(order: Order, watch: Callable[[Trainer], None] = lambda _: None) -> Tuned:
    """Train and write; blocks for as long as it takes. `watch` is given the trainer to stop it.

    Raises WeightsInvalid, DataInvalid and Usage, all before anything is written.
    """
    if order.threads:
        torch.set_num_threads(order.threads)
    source = read_source(order.source)
    words = Words(source)
    template = read_template(source.directory, words.control)
    longest = min(order.length or _LONGEST, source.shape.context, LONGEST)
    learnt, held = _conversations(order)
    rows = Rows(learnt, template, words, longest)
    apart = Rows(held, template, words, longest) if held else None
    model = _model(order, source)
    halved = model.token_embd.weight.dtype == torch.bfloat16
    before = mean_loss(model, apart, bf16=halved) if apart else None
    trainer = Trainer(
        model, rows, _plan(order, longest, len(rows.tokens), halved=halved), order.out
    )
    watch(trainer)
    if order.resume:
        trainer.resume()
    progress = trainer.run()
    after = mean_loss(model, apart, bf16=halved) if apart else None
    files, unwritten = _write(order, model, words, template)
    report = Tuned(
        parameters=source.parameters(),
        trained=sum(weight.numel() for weight in model.parameters() if weight.requires_grad),
        steps=progress.step,
        tokens=progress.tokens,
        seconds=round(progress.seconds, 1),
        before=before,
        after=after,
        left_out=rows.left_out,
        finished=trainer.spent >= 1,
        files=tuple(str(path) for path in files),
        unwritten=unwritten,
    )
    written = msgspec.json.format(msgspec.json.encode(report), indent=1)
    write_whole(order.out / "report.json", lambda beside: beside.write_bytes(written))
    return report


def _conversations(order: Order) -> tuple[Sequence[Conversation], Sequence[Conversation]]:
    learnt = read_conversations(order.data)
    if order.held_out:
        return learnt, read_conversations(order.held_out)
    return split(learnt)


def _model(order: Order, source: Source) -> FamilyModel:
    """The model on its device; under adapters on a GPU its weights take half the bytes."""
    device = pick_device(order.device)
    small = order.lora and device.type == "cuda"
    dtype = torch.bfloat16 if small else torch.float32
    model = loaded(source, dtype, checkpointing=source.parameters() > _LARGE).to(device)
    if order.lora:
        most = min(source.shape.width, source.shape.kv_heads * source.shape.head_width)
        if not 0 < order.lora <= most:
            raise Usage(f"a rank of {order.lora} is not between 1 and {most}")
        adapt(model, order.lora, _ALPHA * order.lora, order.seed)
    return model


def _plan(order: Order, longest: int, learnt: int, *, halved: bool) -> Plan:
    batch = max(order.batch or _BATCH, longest)
    steps = math.ceil(order.tokens / batch)
    if not steps and not order.minutes:
        steps = max(_FEWEST_STEPS, math.ceil(_ROUNDS * learnt / batch))
    return Plan(
        tokens=batch,
        micro=longest,
        rate=Rate(
            order.rate or (_LORA_RATE if order.lora else _FULL_RATE),
            warmup=min(80, max(1, steps // 10)) if steps else 20,
            decay=_DECAY,
        ),
        phases=(Phase(longest, 1.0),),
        steps=steps,
        minutes=order.minutes,
        seed=order.seed,
        muon=False,
        compiled=False,
        bf16=True if halved else order.bf16,
    )


def _write(
    order: Order, model: FamilyModel, words: Words, template: Template
) -> tuple[list[Path], str]:
    source, out = model.source, order.out
    draw(out / FILE, out / "curve.svg")
    whole = merged(model)
    files = [out / "hf"]
    write_source(files[0], source, whole, kind_of(source))
    if order.lora:
        alpha, beside = _ALPHA * order.lora, adapters(model)
        files += [out / "peft", out / "adapter.gguf"]
        write_adapters(files[1], source, beside, order.lora, alpha)
        write_adapter(files[2], source, beside, alpha)
    try:
        vocabulary_of(words)
    except WeightsInvalid as error:
        return files, f"{error.message}: {error.remedy}"
    files.append(out / "model.gguf")
    write_gguf(files[-1], source, whole, words, template, order.kind)
    return files, ""
