"""Writes the curriculum: JSON lines for any trainer, or a shard for ours, the same for a seed."""

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from hermes.errors import Usage
from training.chat import Message, pieces
from training.curriculum import conversations
from training.curriculum.copying import copying
from training.curriculum.dialogue import exchange
from training.curriculum.frames import by_intent
from training.curriculum.values import Values
from training.dataset import Shard, write_shard
from training.gguf_weights import vocabulary
from training.tokenizer import Tokenizer
from training.tokenizer_build import build
from training.whole import write_whole

VOCABULARY = 2_048
LINES = ".jsonl"
TOKENIZER = "tokenizer.json"
_SAMPLE = 40_000  # conversations that a vocabulary is counted on
_SAMPLE_BRIEF = 0.7
_SAMPLE_SEED = 99


@dataclass(frozen=True)
class Order:
    """What is written where. `out` ends in .jsonl, or is a shard's directory.

    `intents`: only requests of these kinds, empty for the whole curriculum. `like`: a GGUF or a
    tokenizer.json whose vocabulary the shard gets; without it one of `vocabulary` tokens is made.
    `brief`: the share that is one request and its calls; `long`: the share of many exchanges, up
    to `longest` tokens.
    """

    out: Path
    count: int
    seed: int = 1
    intents: tuple[str, ...] = ()
    copying: bool = False
    like: Path | None = None
    vocabulary: int = VOCABULARY
    brief: float = 0.0
    long: float = 0.05
    longest: int = 1_900


@dataclass(frozen=True)
class Written:
    """What was written; `tokens` 0 for lines."""

    path: Path
    conversations: int
    tokens: int = 0


def write(order: Order) -> Written:
    """Make and write; whole or not at all. Raises Usage, WeightsInvalid."""
    if order.out.suffix == LINES:
        return write_lines(order.out, made(order))
    tokenizer = read_vocabulary(order.like) if order.like else make_vocabulary(order)
    shard = write_shard(order.out, made(order), tokenizer)
    return Written(order.out, len(shard.lengths), len(shard.tokens))


def write_lines(path: Path, talks: Iterable[Sequence[Message]]) -> Written:
    """Write conversations in the chat format that trl and axolotl read."""
    count = 0

    def fill(beside: Path) -> None:
        nonlocal count
        with beside.open("w", encoding="utf-8") as file:
            for messages in talks:
                file.write(json.dumps({"messages": list(messages)}, ensure_ascii=False) + "\n")
                count += 1

    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, fill)
    return Written(path, count)


def made(order: Order) -> Iterator[Sequence[Message]]:
    """The conversations of an order."""
    if order.copying:
        return copying(order.seed, order.count)
    if order.intents:
        return _of_intents(order)
    if order.brief + order.long > 1:
        raise Usage(f"shares of {order.brief} and {order.long} are more than the whole")
    return conversations(
        order.seed,
        order.count,
        long_share=order.long,
        longest=order.longest,
        brief_share=order.brief,
    )


def make_vocabulary(order: Order) -> Tokenizer:
    """A vocabulary counted on the curriculum; the same for every seed of it."""
    talks: Iterator[Sequence[Message]]
    if order.intents:
        talks = islice(made(order), _SAMPLE)
    else:
        talks = conversations(_SAMPLE_SEED, _SAMPLE, long_share=0, brief_share=_SAMPLE_BRIEF)
    texts = ("".join(text for text, _ in pieces(talk)) for talk in talks)
    try:
        return build(texts, order.vocabulary)
    except ValueError as error:
        raise Usage(str(error), "raise --vocabulary") from error


def read_vocabulary(path: Path) -> Tokenizer:
    """The vocabulary of a GGUF, a shard or a tokenizer.json; raises WeightsInvalid, Usage."""
    if path.is_dir():
        return Shard(path).tokenizer
    if path.suffix == ".json":
        try:
            return Tokenizer.load(path)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Usage(f"{path} is no vocabulary of Hermes: {error}") from error
    return vocabulary(path)


def _of_intents(order: Order) -> Iterator[list[Message]]:
    known = by_intent(held=False)
    if unknown := [name for name in order.intents if name not in known]:
        raise Usage(f"no intent {unknown[0]!r}", f"there are {', '.join(known)}")
    rng = random.Random(order.seed)  # noqa: S311 - training data
    return (
        exchange(Values(random.Random(rng.getrandbits(63))), intent=rng.choice(order.intents))  # noqa: S311
        for _ in range(order.count)
    )
