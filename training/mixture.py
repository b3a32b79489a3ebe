"""Which conversations a step sees: a shard, and rows of others mixed in."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from hermes.errors import DataInvalid
from training.dataset import Batch, Batches, Conversations
from training.schedule import Phase


@dataclass(frozen=True)
class Added:
    """A share of each batch's rows that comes from another shard.

    With `until` the share falls evenly to nought when that part of the budget is spent: copying
    tasks at the start. Without it the share stays: replay, so that nothing is forgotten.
    """

    shard: Conversations
    share: float
    until: float = 0.0

    def now(self, spent: float) -> float:
        """The share when this part of the budget is spent."""
        return self.share * max(0.0, 1 - spent / self.until) if self.until else self.share


class Mixture:
    """Batches of the main shard and of what is added, the same whenever they are asked for."""

    def __init__(
        self,
        shard: Conversations,
        added: Sequence[Added],
        tokens: int,
        seed: int,
        processes: int = 1,
    ) -> None:
        for other in added:
            if other.shard.tokenizer.digest != shard.tokenizer.digest:
                raise DataInvalid(
                    f"{other.shard.directory} and {shard.directory} have different vocabularies"
                )
        self._shards = [shard, *(other.shard for other in added)]
        self._added, self._tokens, self._seed = tuple(added), tokens, seed
        self._processes = processes
        self._length = 0
        self._batches: list[Batches] = []

    def batch(self, phase: Phase, step: int, spent: float) -> Batch:
        """The rows of a step, counted from the beginning of its phase."""
        if phase.length != self._length:
            rows = max(1, self._tokens // phase.length)
            rows += -rows % self._processes  # each takes as many, or they would wait for ever
            self._batches = [
                Batches(shard, phase.length, rows, self._seed) for shard in self._shards
            ]
            self._length = phase.length
        batch = self._batches[0].batch(step)
        at = 0
        for other, batches in zip(self._added, self._batches[1:], strict=True):
            rows = round(len(batch.tokens) * other.now(spent))
            if rows:
                _replace(batch, batches.batch(step), at, at + rows)
                at += rows
        return batch


def _replace(batch: Batch, other: Batch, begin: int, end: int) -> None:
    for field in fields(Batch):
        getattr(batch, field.name)[begin:end] = getattr(other, field.name)[begin:end]
