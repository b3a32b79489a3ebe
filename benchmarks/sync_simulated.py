"""Four workers that talk seldom beside plain data parallel, on the same tokens.

Evaluation loss on conversations with held-out values: Ember continued (the real use), a small
model trained to the end of its rate and continued (warm), and one from scratch. Bytes are what
one worker sends; plain data parallel sends each step's gradient in float32. Workers are simulated
one after another; messages, aggregation and outer step are the real ones.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from benchmarks import Row, at_least, at_most, told
from hermes.models.gguf import shipped_model
from training.chat import pieces
from training.curriculum import conversation
from training.dataset import Batch, Batches, Shard, write_shard
from training.gguf_weights import load_gguf, vocabulary
from training.model import Model, Shape, loss_of
from training.sync.aggregate import Guard, aggregate, read_all
from training.sync.compress import Compressor, Contribution, Scheme, pack
from training.sync.inner import Inner, Steps
from training.sync.outer import Outer, outer_step
from training.sync.quantise import Values
from training.sync.state import State, terms_of
from training.tokenizer import Tokenizer
from training.tokenizer_build import build

WORKERS = 4
LENGTH = 256


@dataclass(frozen=True)
class Scale:
    """How large: `rows` a worker and step, `count` conversations a worker."""

    shape: Shape
    rows: int
    count: int
    steps: int


def _small(width: int, depth: int, feed_forward: int, vocab: int) -> Shape:
    return Shape(vocab, width, depth, 4, 2, feed_forward, 2 * LENGTH)


FULL = Scale(_small(96, 4, 288, 1024), 4, 1500, 300)
QUICK = Scale(_small(64, 3, 192, 600), 2, 900, 200)


@dataclass(frozen=True)
class Case:
    """A way to synchronise; `noise` and `gone` name a worker that does harm or leaves."""

    name: str
    inner: int = 50
    scheme: Scheme = field(default_factory=Scheme)
    outer: Outer = field(default_factory=Outer)
    guard: Guard = field(default_factory=Guard)
    noise: int = -1
    gone: int = -1


@dataclass(frozen=True)
class Setting:
    """A start, and a budget: the same steps and learning rates for every way."""

    weights: Values
    optimizer: dict[str, object] | None
    steps: int
    peak: float

    def rate(self, step: int) -> float:
        """A short rise, then down in a straight line to a twentieth."""
        return self.peak * min((step + 1) / 20, max(0.05, 1 - step / self.steps))


@dataclass(frozen=True)
class Data:
    """Each worker's own conversations, those of the warm-up, and held-out batches."""

    scale: Scale
    warm: Shard
    own: Sequence[Shard]
    held_out: Sequence[Batch]


def prepare(place: Path, scale: Scale, tokenizer: Tokenizer | None = None) -> Data:
    """Conversations from seeds that don't meet; without a vocabulary one is made of them."""
    count = scale.count
    seeds: Iterator[range] = (range(at * 10**6, at * 10**6 + count) for at in range(1, 99))
    warm = [conversation(seed) for seed in range(2 * count)]
    texts = ("".join(text for text, _ in pieces(one)) for one in warm[:count])
    tokenizer = tokenizer or build(texts, scale.shape.vocab)
    own = [
        write_shard(place / f"own-{worker}", map(conversation, next(seeds)), tokenizer)
        for worker in range(WORKERS)
    ]
    held = (conversation(5 * 10**8 + seed, held_values=True) for seed in range(200))
    batches = Batches(write_shard(place / "held-out", held, tokenizer), 2 * LENGTH, 4, 1)
    held_out = [batches.batch(step) for step in range(10)]
    return Data(scale, write_shard(place / "warm", warm, tokenizer), own, held_out)


def fresh(data: Data) -> Model:
    """A model that is always the same."""
    torch.manual_seed(1)
    return Model(data.scale.shape)


def loss(model: Model, batch: Batch) -> torch.Tensor:
    """Of one batch."""
    hidden = model.hidden(torch.from_numpy(batch.tokens))
    return loss_of(hidden, model.head, torch.from_numpy(batch.targets))


def evaluated(model: Model, data: Data) -> float:
    """Mean loss on what was held out."""
    with torch.no_grad():
        return float(np.mean([loss(model, batch).item() for batch in data.held_out]))


def on(model: Model, sources: Sequence[Batches]) -> Callable[[int], torch.Tensor]:
    """The mean loss over the sources at a step."""
    return lambda step: torch.stack([loss(model, one.batch(step)) for one in sources]).mean()


def sources(data: Data) -> list[Batches]:
    """Where each worker reads."""
    return [Batches(shard, LENGTH, data.scale.rows, 7) for shard in data.own]


def together(data: Data, setting: Setting, source: Sequence[Batches]) -> tuple[float, Inner]:
    """Plain data parallel: every step over all workers' batches."""
    model = fresh(data)
    inner = Inner(model, on(model, source), Steps(setting.steps, setting.rate))
    if setting.optimizer:
        inner.optimizer.load_state_dict(setting.optimizer)
    inner.run(setting.weights, 0, lambda: False)
    return evaluated(model, data), inner


def apart(data: Data, setting: Setting, case: Case) -> tuple[float, float, int]:
    """Evaluation loss, bytes a worker sent, and how often noise was refused."""
    models = [fresh(data) for _ in range(WORKERS)]
    steps = Steps(case.inner, setting.rate)
    inners = [
        Inner(model, on(model, [source]), steps)
        for model, source in zip(models, sources(data), strict=True)
    ]
    for inner in inners:
        if setting.optimizer:
            inner.optimizer.load_state_dict(setting.optimizer)
    senders = [Compressor(case.scheme, len(setting.weights)) for _ in inners]
    terms = terms_of(inners[0].layout, (case.outer, case.guard))
    state = State(0, setting.weights, None, terms)
    sent = messages = refused = 0
    rounds = setting.steps // case.inner
    for number in range(rounds):
        letters = {}
        for worker, inner in enumerate(inners):
            if worker == case.gone and 2 * number >= rounds:
                continue
            if worker == case.noise:
                letters[f"w{worker}"] = noise(state, case, number)
                continue
            delta, done = inner.run(state.weights, number, lambda: False)
            letters[f"w{worker}"] = senders[worker].pack(delta, number, done, state.digest)
            sent, messages = sent + len(letters[f"w{worker}"]), messages + 1
        values, unread = read_all(letters, state)
        outcome = aggregate(values, case.guard)
        refused += f"w{case.noise}" in {**unread.refused, **outcome.refused}
        state = outer_step(state, outcome.update, case.outer)
    inners[0].write(state.weights)
    return evaluated(models[0], data), sent / messages * rounds, refused


def noise(state: State, case: Case, number: int) -> bytes:
    """A well-formed message that says nothing, loudly."""
    random = np.random.default_rng(number)
    values = random.standard_normal(len(state.weights), np.float32)
    return pack(values, case.scheme, Contribution(number, case.inner, state.digest, values))


def warmed(data: Data, steps: int) -> Setting:
    """A model trained to the end of its rate, to be continued at a third of it."""
    model = fresh(data)
    begin = Setting(Inner(model, lambda _: torch.zeros(()), Steps()).read(), None, steps, 4e-3)
    rows = WORKERS * data.scale.rows
    _, inner = together(data, begin, [Batches(data.warm, LENGTH, rows, 3)])
    return Setting(inner.read(), inner.optimizer.state_dict(), steps, 1.3e-3)


def rows_of(data: Data, setting: Setting, cases: Sequence[Case], start: str) -> Iterator[Row]:
    """Each case beside plain data parallel; a limit where the case's name has one."""
    plain, _ = together(data, setting, sources(data))
    everything = 4.0 * len(setting.weights) * setting.steps
    yield told(f"sync {start}: plain data parallel, evaluation loss", plain, "", "float32")
    for case in cases:
        got, sent, refused = apart(data, setting, case)
        name = f"sync {start}: {case.name}, loss over plain's"
        limit = LIMITS.get((start, case.name))
        yield at_most(name, got / plain, "x", limit) if limit else told(name, got / plain, "x")
        ratio = f"sync {start}: {case.name}, times fewer bytes"
        yield (
            at_least(ratio, everything / sent, "x", 400)
            if limit
            else told(ratio, everything / sent, "x", f"noise refused {refused} times")
        )


CHOSEN = Case("2 bits, 50 steps")
HARMED = replace(CHOSEN, name="one sends noise, one leaves", noise=1, gone=3)
LIMITS = {
    (start, case.name): most
    for start in ("Ember", "warm")
    for case, most in ((CHOSEN, 1.01), (HARMED, 1.03))
}


def ember(place: Path, *, quick: bool) -> Iterator[Row]:
    """Ember's own weights, continued on conversations that it has not seen."""
    words = vocabulary(shipped_model())
    model = load_gguf(shipped_model(), words)
    data = prepare(place, Scale(model.shape, 2, 300, 50 if quick else 150), words)
    start = Inner(model, lambda _: torch.zeros(()), Steps()).read()
    yield told("sync Ember: as it ships, evaluation loss", evaluated(model, data), "")
    setting = Setting(start, None, data.scale.steps, 1e-4)
    yield from rows_of(data, setting, [CHOSEN, HARMED], "Ember")


def measure(*, quick: bool) -> list[Row]:
    """From a warm start and from scratch."""
    torch.set_num_threads(1)
    scale = QUICK if quick else FULL
    with tempfile.TemporaryDirectory(prefix="hermes-bench-") as place:
        data = prepare(Path(place), scale)
        warm = replace(warmed(data, 2 * scale.steps), steps=scale.steps)
        first = Inner(fresh(data), lambda _: torch.zeros(()), Steps()).read()
        scratch = Setting(first, None, scale.steps, 4e-3)
        return [
            *ember(Path(place) / "ember", quick=quick),
            *rows_of(data, warm, [CHOSEN, HARMED], "warm"),
            *rows_of(data, scratch, [CHOSEN, HARMED], "scratch"),
        ]
