"""Trains the model: AdamW, rows that grow longer, a budget of steps or minutes, exact resume.

With a budget of steps the same seed gives the same weights; with minutes the schedule follows
the clock. Run it with `python -m training.trainer`.
"""

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from training.checkpoint import Checkpoint, Progress, load, save
from training.dataset import Batch, Batches, Conversations
from training.device import bf16_pays, lower_precision, pick_device
from training.metrics import Metrics
from training.model import Model, Shape, loss_of
from training.schedule import PHASES, Phase, Rate, phase_at

CLIP = 1.0
BETAS = (0.9, 0.95)
DECAY = 0.01
CHECKPOINT = "checkpoint.pt"
_EVERY_STEPS = 20  # a line of progress and of metrics


@dataclass(frozen=True)
class Plan:
    """A run. `steps` or `minutes` is the budget; `tokens` is what one step sees.

    `warm` is a share of the rows that come from the second shard at the start, falling to
    nought when `warm_until` of the budget is spent.
    """

    tokens: int = 12_288
    rate: Rate = field(default_factory=lambda: Rate(3e-3))
    phases: tuple[Phase, ...] = PHASES
    steps: int = 0
    minutes: float = 0.0
    seed: int = 1
    warm: float = 0.4
    warm_until: float = 0.05
    masked: bool = False
    compiled: bool = True
    bf16: bool | None = None
    save_every_s: float = 180.0


class Trainer:
    """One run over a shard, writing checkpoints and metrics into a directory."""

    def __init__(
        self, model: Model, shard: Conversations, plan: Plan, out: Path, device: str = ""
    ) -> None:
        if bool(plan.steps) == bool(plan.minutes):
            raise ValueError("a budget is steps or minutes, one of the two")
        if model.shape.vocab != len(shard.tokenizer):
            raise ValueError(
                f"the model has {model.shape.vocab} tokens, {shard.directory} "
                f"{len(shard.tokenizer)}: they belong to different vocabularies"
            )
        self.device = pick_device(device)
        self.model = model.to(self.device)
        self.shard, self.plan, self.out = shard, plan, out
        self.warm: Conversations | None = None
        self.progress = Progress()
        self.stop = False
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=plan.rate.peak, betas=BETAS, weight_decay=DECAY, fused=True
        )
        self._batches: dict[tuple[int, int], Batches] = {}
        self._hidden: Callable[..., Tensor] = model.hidden
        if plan.compiled:
            self._hidden = torch.compile(model.hidden, dynamic=False)
        rows = max(1, plan.tokens // plan.phases[0].length // 8)
        self._bf16 = (
            bf16_pays(model, rows, plan.phases[0].length) if plan.bf16 is None else plan.bf16
        )

    @property
    def spent(self) -> float:
        """The share of the budget that is gone."""
        if self.plan.steps:
            return min(1.0, self.progress.step / self.plan.steps)
        return min(1.0, self.progress.seconds / 60 / self.plan.minutes)

    def resume(self) -> bool:
        """Go on from the directory's checkpoint, where there is one."""
        path = self.out / CHECKPOINT
        if not path.exists():
            return False
        state = load(path)
        if state.tokenizer != self.shard.tokenizer.digest or state.shape != self.model.shape:
            raise ValueError(f"{path} is of another model or vocabulary: name another --out")
        self.model.load_state_dict(state.weights)
        self.optimizer.load_state_dict(state.optimizer)
        self.progress = state.progress
        torch.set_rng_state(state.random)
        return True

    def run(self) -> Progress:
        """Train until the budget is spent or `stop` is set; leaves a checkpoint either way."""
        self.out.mkdir(parents=True, exist_ok=True)
        self.model.train()
        saved = time.monotonic()
        with Metrics(self.out, self.progress.step) as metrics:
            while self.spent < 1 and not self.stop:
                begun = time.monotonic()
                loss = self.step()
                now = time.monotonic()
                self.progress.seconds += now - begun
                if self.progress.step % _EVERY_STEPS == 0 or self.spent >= 1:
                    metrics.line(self.progress, loss, self.spent, self._rate())
                if now - saved > self.plan.save_every_s:
                    self.save()
                    saved = time.monotonic()
        self.save()
        return self.progress

    def step(self) -> float:
        """One step of the optimiser; returns the loss."""
        progress, spent = self.progress, self.spent
        phase = phase_at(self.plan.phases, spent)
        if phase != progress.phase:
            progress.phase, progress.begun = phase, progress.step
        batch = self._batch(phase, progress.step - progress.begun, spent)
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate()
        loss = self._backward(batch)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        value = float(loss)
        if not math.isfinite(value):
            raise ValueError(f"the loss is {value} at step {progress.step}: lower the rate")
        progress.step += 1
        progress.tokens += int((batch.documents > 0).sum())
        progress.loss = value if not progress.loss else 0.98 * progress.loss + 0.02 * value
        return value

    def _rate(self) -> float:
        return self.plan.rate.at(self.progress.step, self.spent)

    def _backward(self, batch: Batch) -> Tensor:
        tokens = torch.from_numpy(batch.tokens).to(self.device)
        targets = torch.from_numpy(batch.targets).to(self.device)
        documents = None
        if self.plan.masked:
            documents = torch.from_numpy(batch.documents).to(self.device)
        with lower_precision(self.device, on=True) if self._bf16 else nullcontext():
            hidden = self._hidden(tokens, documents)
            loss = loss_of(hidden, self.model.head, targets)
        loss.backward()
        return loss.detach()

    def _batch(self, phase: int, step: int, spent: float) -> Batch:
        batch = self._of(self.shard, 0, phase).batch(step)
        share = self.plan.warm * (1 - spent / self.plan.warm_until) if self.plan.warm_until else 0
        if self.warm is None or share <= 0:
            return batch
        rows = round(len(batch.tokens) * share)
        other = self._of(self.warm, 1, phase).batch(step)
        for mine, theirs in (
            (batch.tokens, other.tokens),
            (batch.targets, other.targets),
            (batch.documents, other.documents),
        ):
            mine[:rows] = theirs[:rows]
        return batch

    def _of(self, shard: Conversations, number: int, phase: int) -> Batches:
        if (number, phase) not in self._batches:
            length = self.plan.phases[phase].length
            rows = max(1, self.plan.tokens // length)
            self._batches = {k: v for k, v in self._batches.items() if k[1] == phase}
            self._batches[number, phase] = Batches(shard, length, rows, self.plan.seed)
        return self._batches[number, phase]

    def save(self) -> None:
        """Write the checkpoint now."""
        state = Checkpoint(
            shape=self.model.shape,
            weights=self.model.state_dict(),
            optimizer=self.optimizer.state_dict(),
            progress=self.progress,
            tokenizer=self.shard.tokenizer.digest,
            random=torch.get_rng_state(),
        )
        save(self.out / CHECKPOINT, state)


def fresh(shape: Shape, seed: int, *, checkpointing: bool = False) -> Model:
    """A model of this shape with weights that the seed determines."""
    torch.manual_seed(seed)
    return Model(shape, checkpointing=checkpointing)


if __name__ == "__main__":
    from training.run import main

    main()
