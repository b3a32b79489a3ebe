"""Trains the model: rows that grow longer, a budget of steps or minutes, exact resume.

With a budget of steps the same seed gives the same weights (on the same number of threads);
with minutes the schedule follows the clock. The precision is timed at the start unless the plan
names it; a run that goes on keeps it. Run it with `python -m training.trainer`.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from hermes.errors import DataInvalid, TrainingError, Usage
from training.checkpoint import Checkpoint, Progress, load, save
from training.dataset import Conversations
from training.device import bf16_pays
from training.gradient import Gradient
from training.metrics import Metrics
from training.mixture import Added, Mixture
from training.model import Model, Shape
from training.optimizer import Muon, make_optimizer
from training.schedule import PHASES, Phase, Rate, phase_at
from training.sharding import Group

CLIP = 1.0
CHECKPOINT = "checkpoint.pt"
_EVERY_STEPS = 20  # a line of progress and of metrics


@dataclass(frozen=True)
class Plan:
    """A run. `steps` or `minutes` is the budget; `tokens` is what one step sees.

    `until` is the share of the budget at which this stretch ends, for another to go on.
    `micro` tokens go through the model at once (0: all); `bf16` None: what a timed step says.
    """

    tokens: int = 12_288
    micro: int = 0
    rate: Rate = field(default_factory=lambda: Rate(3e-3))
    phases: tuple[Phase, ...] = PHASES
    steps: int = 0
    minutes: float = 0.0
    until: float = 1.0
    seed: int = 1
    masked: bool = True
    muon: bool = True
    compiled: bool = True
    bf16: bool | None = None
    save_every_s: float = 180.0


class Trainer:
    """One run over a shard, writing checkpoints and metrics into a directory.

    The model already lies on its device; `group` are the processes that share it.
    """

    def __init__(
        self,
        model: Model,
        shard: Conversations,
        plan: Plan,
        out: Path,
        added: Sequence[Added] = (),
        group: Group | None = None,
    ) -> None:
        _check(plan, model.shape, shard)
        self.model, self.shard, self.plan, self.out = model, shard, plan, out
        self.group = group or Group()
        self.progress = Progress()
        self.stop = False
        self._mixture = Mixture(shard, added, plan.tokens, plan.seed, self.group.processes)
        bf16 = self._timed() if plan.bf16 is None else plan.bf16
        self.group.share(model)
        self._gradient = Gradient(
            model, self.group, micro=plan.micro, bf16=bf16, compiled=plan.compiled
        )
        self.optimizer = make_optimizer(
            model, plan.rate.peak, several=self.group.several, muon=plan.muon
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
            raise DataInvalid(f"{path} is of another model or vocabulary", "name another --out")
        if ("matrices" in state.optimizer) != isinstance(self.optimizer, Muon):
            raise DataInvalid(f"{path} is of another optimiser", "say --optimizer as it was")
        self.group.set_state(self.model, self.optimizer, state.weights, state.optimizer)
        self.progress = state.progress
        torch.set_rng_state(state.random)
        if self.plan.bf16 is None and state.bf16 is not None:
            self._gradient.bf16 = state.bf16
        return True

    def run(self) -> Progress:
        """Train until the budget is spent or `stop` is set; leaves a checkpoint either way."""
        self.out.mkdir(parents=True, exist_ok=True)
        self.model.train()
        saved = time.monotonic()
        with Metrics(self.out, self.progress.step, quiet=not self.group.first) as metrics:
            while self.spent < self.plan.until and not self.stop:
                begun = time.monotonic()
                loss = self.step()
                now = time.monotonic()
                self.progress.seconds += self.group.agreed(now - begun)
                if self.progress.step % _EVERY_STEPS == 0 or self.spent >= self.plan.until:
                    metrics.line(self.progress, loss, self.spent, self._rate())
                if self.group.agreed(now - saved) > self.plan.save_every_s:
                    self.save()
                    saved = time.monotonic()
                self.stop = bool(self.group.agreed(float(self.stop)))
        self.save()
        return self.progress

    def step(self) -> float:
        """One step of the optimiser; returns the loss."""
        progress, spent = self.progress, self.spent
        number = phase_at(self.plan.phases, spent)
        if number != progress.phase:
            progress.phase, progress.begun = number, progress.step
        phase = self.plan.phases[number]
        batch = self._mixture.batch(phase, progress.step - progress.begun, spent)
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate()
        value = self._gradient.add(batch, masked=self.plan.masked)
        if not math.isfinite(value):
            raise TrainingError(
                f"the loss is {value} at step {progress.step}",
                "start again with a lower --rate",
            )
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        progress.step += 1
        progress.tokens += int((batch.documents > 0).sum())
        progress.loss = value if not progress.loss else 0.98 * progress.loss + 0.02 * value
        return value

    def _timed(self) -> bool:
        length = self.plan.phases[0].length
        rows = (self.plan.micro or self.plan.tokens) // length // 8
        return bool(self.group.agreed(float(bf16_pays(self.model, rows, length))))

    def _rate(self) -> float:
        return self.plan.rate.at(self.progress.step, self.spent)

    def whole(self) -> Model:
        """The model on one device, to be exported; only the first process's is filled."""
        if not self.group.several:
            return self.model
        weights, _ = self.group.state(self.model, self.optimizer)
        model = Model(self.model.shape)
        if self.group.first:
            model.load_state_dict(weights)
        return model

    def save(self) -> None:
        """Write the checkpoint now."""
        weights, optimizer = self.group.state(self.model, self.optimizer)
        if not self.group.first:
            return
        state = Checkpoint(
            shape=self.model.shape,
            weights=weights,
            optimizer=optimizer,
            progress=self.progress,
            tokenizer=self.shard.tokenizer.digest,
            random=torch.get_rng_state(),
            bf16=self._gradient.bf16,
        )
        save(self.out / CHECKPOINT, state)


def _check(plan: Plan, shape: Shape, shard: Conversations) -> None:
    if bool(plan.steps) == bool(plan.minutes):
        raise Usage("a budget is --steps or --minutes, one of the two")
    if max(phase.length for phase in plan.phases) > shape.context:
        raise Usage(f"rows are longer than the model's context of {shape.context} tokens")
    if shape.vocab != len(shard.tokenizer):
        raise DataInvalid(
            f"the model has {shape.vocab} tokens, {shard.directory} has "
            f"{len(shard.tokenizer)}: they belong to different vocabularies"
        )


def fresh(shape: Shape, seed: int, *, checkpointing: bool = False) -> Model:
    """A model of this shape with weights that the seed determines."""
    torch.manual_seed(seed)
    return Model(shape, checkpointing=checkpointing)


if __name__ == "__main__":
    from training.run import main

    main()
