"""Conversations as memory-mapped tokens on disk, and batches that seed and step determine.

A shard is a directory: `tokens.npy` (uint16), `loss.npy` (bool), `starts.npy` (int64, one more
than conversations), `tokenizer.json`, `shard.json`. Whole conversations share a row.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hermes.errors import DataInvalid
from training.chat import Message
from training.tokenizer import Tokenizer
from training.whole import write_whole

IGNORED = -100
_OPEN_ROWS = 64  # rows that first-fit still looks into


@dataclass(frozen=True)
class Batch:
    """Rows of tokens, targets (IGNORED off the loss) and conversation numbers (0: padding)."""

    tokens: NDArray[np.int64]
    targets: NDArray[np.int64]
    documents: NDArray[np.int64]


class Vocabulary(Protocol):
    """What a trainer must know of a tokenizer."""

    @property
    def digest(self) -> str:
        """What tells two vocabularies apart."""
        ...

    def __len__(self) -> int:
        """The size of the vocabulary."""
        ...


class Conversations(Protocol):
    """Conversations as one run of tokens, wherever it lies; `starts` has one more."""

    tokens: NDArray[Any]
    loss: NDArray[np.bool_]
    starts: NDArray[np.int64]
    directory: Path

    @property
    def tokenizer(self) -> Vocabulary:
        """The vocabulary of the tokens."""
        ...

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each conversation."""
        ...


class Shard:
    """A shard that was written, read without loading it."""

    def __init__(self, directory: Path) -> None:
        try:
            self.about = json.loads((directory / "shard.json").read_text(encoding="utf-8"))
            self.tokenizer = Tokenizer.load(directory / "tokenizer.json")
            self.tokens = np.load(directory / "tokens.npy", mmap_mode="r")
            self.loss = np.load(directory / "loss.npy", mmap_mode="r")
            self.starts = np.load(directory / "starts.npy")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataInvalid(f"{directory} is no shard that can be read: {error}") from error
        self.directory = directory
        self._check()

    def _check(self) -> None:
        starts, size = self.starts, len(self.tokens)
        sound = (
            self.tokens.dtype == np.uint16
            and self.loss.shape == self.tokens.shape
            and starts.ndim == 1
            and len(starts) > 1
            and starts[0] == 0
            and starts[-1] == size
            and bool(np.all(np.diff(starts) > 1))
            and self.about.get("tokenizer") == self.tokenizer.digest
        )
        if not sound or int(self.tokens.max()) >= len(self.tokenizer):
            raise DataInvalid(f"{self.directory} is damaged, or its vocabulary is another's")

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each conversation."""
        return np.diff(self.starts)


def write_shard(
    directory: Path, conversations: Iterable[Sequence[Message]], tokenizer: Tokenizer
) -> Shard:
    """Tokenise conversations into a shard; `shard.json` comes last, so a torso is none.

    Conversations without an answer are left out. Files are replaced whole: a run that reads the
    shard which stood here before goes on reading that.
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "shard.json").unlink(missing_ok=True)
    tokens: list[NDArray[np.uint16]] = []
    loss: list[NDArray[np.bool_]] = []
    for messages in conversations:
        ids, marked = tokenizer.conversation(messages)
        if any(marked):
            tokens.append(np.array(ids, np.uint16))
            loss.append(np.array(marked, np.bool_))
    if not tokens:
        raise DataInvalid("there is no conversation with an answer to learn from")
    starts = np.fromiter(chain([0], map(len, tokens)), np.int64).cumsum()
    for name, values in (
        ("tokens", np.concatenate(tokens)),
        ("loss", np.concatenate(loss)),
        ("starts", starts),
    ):
        _put(directory / f"{name}.npy", values)
    write_whole(directory / "tokenizer.json", tokenizer.save)
    about = {
        "conversations": len(tokens),
        "tokens": int(starts[-1]),
        "loss_tokens": int(sum(int(part.sum()) for part in loss)),
        "tokenizer": tokenizer.digest,
    }
    text = json.dumps(about, indent=1) + "\n"
    write_whole(directory / "shard.json", lambda beside: beside.write_text(text, encoding="utf-8"))
    return Shard(directory)


def _put(path: Path, values: np.ndarray) -> None:
    def write(beside: Path) -> None:
        with beside.open("wb") as file:
            np.save(file, values)

    write_whole(path, write)


class Batches:
    """Batches of one row length; `batch(step)` is the same whenever it is asked for."""

    def __init__(self, shard: Conversations, length: int, rows: int, seed: int) -> None:
        self.shard, self.length, self.rows, self.seed = shard, length, rows, seed
        fitting = np.flatnonzero(shard.lengths <= length + 1)
        self.left_out = len(shard.lengths) - len(fitting)
        if not len(fitting):
            raise DataInvalid(f"no conversation of {shard.directory} fits into {length} tokens")
        self._fitting = fitting
        # A small shard is repeated until a batch is full.
        size = int((shard.lengths[fitting] - 1).sum())
        self._repeats = max(1, math.ceil(rows * length / size))
        self._ends: list[int] = []  # after which step each epoch is over
        self._epoch = -1
        self._packed: list[list[int]] = []

    def batch(self, step: int) -> Batch:
        """The rows of a step, counted from 0."""
        packed, at = self._rows_at(step)
        shape = (self.rows, self.length)
        tokens, documents = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        targets = np.full(shape, IGNORED, np.int64)
        for row, members in enumerate(packed[at : at + self.rows]):
            self._fill(members, tokens[row], targets[row], documents[row])
        return Batch(tokens, targets, documents)

    def _fill(
        self,
        members: Sequence[int],
        tokens: NDArray[np.int64],
        targets: NDArray[np.int64],
        documents: NDArray[np.int64],
    ) -> None:
        at = 0
        for number, member in enumerate(members, 1):
            begin, end = self.shard.starts[member], self.shard.starts[member + 1]
            until = at + int(end - begin) - 1
            ids = self.shard.tokens[begin:end]
            tokens[at:until] = ids[:-1]
            marked = self.shard.loss[begin + 1 : end]
            targets[at:until][marked] = ids[1:][marked]
            documents[at:until] = number
            at = until

    def steps(self, epoch: int) -> int:
        """How many steps an epoch has; the rows that don't fill a step wait for the next."""
        self._load(epoch)
        return max(1, len(self._packed) // self.rows)

    def _rows_at(self, step: int) -> tuple[list[list[int]], int]:
        epoch, first = 0, 0
        while True:
            if epoch == len(self._ends):
                self._ends.append(first + self.steps(epoch))
            if step < self._ends[epoch]:
                break
            first = self._ends[epoch]
            epoch += 1
        self._load(epoch)
        return self._packed, (step - first) * self.rows

    def _load(self, epoch: int) -> None:
        if epoch != self._epoch:
            self._packed, self._epoch = self._pack(epoch), epoch

    def _pack(self, epoch: int) -> list[list[int]]:
        """First fit over the last few rows, in an order drawn from seed, epoch and length."""
        random = np.random.default_rng((self.seed, epoch, self.length))
        order = np.concatenate([random.permutation(self._fitting) for _ in range(self._repeats)])
        lengths = (self.shard.lengths[order] - 1).tolist()
        done: list[list[int]] = []
        rows: list[list[int]] = []
        room: list[int] = []
        for member, length in zip(order.tolist(), lengths, strict=True):
            for index, left in enumerate(room):
                if left >= length:
                    rows[index].append(member)
                    room[index] -= length
                    break
            else:
                if len(room) == _OPEN_ROWS:
                    fullest = room.index(min(room))
                    done.append(rows.pop(fullest))
                    room.pop(fullest)
                rows.append([member])
                room.append(self.length - length)
        done += rows
        return [done[index] for index in random.permutation(len(done)).tolist()]
