"""What a run learns from: the owner's conversations, the curriculum, and what is held out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hermes.errors import Usage
from training import generate
from training.conversations import Conversation, read_conversations
from training.curriculum import conversation
from training.dataset import Shard, write_shard
from training.gguf_weights import vocabulary
from training.held_out import split
from training.mixture import Added
from training.tokenizer import Tokenizer
from training.whole import write_whole

_ALONE = "a shard stands alone: name one directory, or files of JSON lines"
_HELD_SEED = 1 << 42
_HELD = 200
_FEWEST = 2_000  # conversations of replay
_COPYING_SHARE, _COPYING_UNTIL = 0.4, 0.05
_COPYING = (1_000, 20_000)  # at least, at most; between them a tenth of the curriculum


@dataclass(frozen=True)
class Wanted:
    """`data`: JSON lines, or one shard; none for the curriculum alone.

    `count`: conversations of the curriculum. `replay`: its share of every batch beside `data`.
    `fresh`: the model knows nothing yet and learns to copy first.
    """

    out: Path
    data: tuple[Path, ...]
    held_out: tuple[Path, ...]
    replay: float
    count: int
    seed: int
    intents: tuple[str, ...]
    vocabulary: int
    fresh: bool


@dataclass(frozen=True)
class Materials:
    """Shards: what is learnt, what is mixed in, what is only measured (by name)."""

    shard: Shard
    added: tuple[Added, ...]
    measured: dict[str, Shard]
    held: tuple[Conversation, ...]


def gather(wanted: Wanted, tokenizer: Tokenizer | None) -> Materials:
    """Read, make and write everything; raises DataInvalid and Usage.

    Without `tokenizer` the vocabulary is that of the data's shard, of an earlier start of the
    same run, or made.
    """
    if not 0 <= wanted.replay < 1:
        raise Usage(f"a replay of {wanted.replay} is no share from 0 to 1")
    if any(path.is_dir() for path in wanted.data):
        return _of_shard(wanted, tokenizer)
    read = read_conversations(wanted.data) if wanted.data else []
    kept = read_conversations(wanted.held_out) if wanted.held_out else []
    learnt, held = (read, kept) if kept else split(read)
    tokenizer = tokenizer or _vocabulary(wanted)
    write_whole(_place(wanted, generate.TOKENIZER), tokenizer.save)
    measured = {"curriculum": _write(wanted, "held_curriculum", _held(), tokenizer)}
    curriculum = None
    if not learnt or wanted.replay:
        talks = generate.made(_order(wanted, len(learnt)))
        curriculum = write_shard(_place(wanted, "curriculum"), talks, tokenizer)
    added = _copying(wanted, tokenizer) if wanted.fresh else ()
    if held:
        measured["data"] = _write(wanted, "held_data", held, tokenizer)
    if not learnt:
        assert curriculum
        return Materials(curriculum, added, measured, tuple(held))
    own = _write(wanted, "data", learnt, tokenizer)
    if curriculum:
        added = (*added, Added(curriculum, wanted.replay))
    return Materials(own, added, measured, tuple(held))


def shard_of(data: Sequence[Path], origin: Path | None, out: Path) -> Path:
    """One shard for these files: itself where it is one, else written below `out`.

    JSON lines get the vocabulary of `origin`; raises Usage without one.
    """
    if len(data) == 1 and data[0].is_dir():
        return Path(data[0])
    if any(path.is_dir() for path in data):
        raise Usage(_ALONE)
    if origin is None:
        remedy = "go on --from a model, or make a shard: hermes train curriculum --out DIR"
        raise Usage("JSON lines have no vocabulary of their own", remedy)
    read = read_conversations(data)
    place = out / "data" / "own"
    write_shard(place, (one.messages for one in read), vocabulary(origin))
    return place


def _of_shard(wanted: Wanted, tokenizer: Tokenizer | None) -> Materials:
    """One shard that is there already, such as a large curriculum."""
    if len(wanted.data) > 1:
        raise Usage(_ALONE)
    shard = Shard(wanted.data[0])
    used = tokenizer or shard.tokenizer
    write_whole(_place(wanted, generate.TOKENIZER), used.save)
    kept = read_conversations(wanted.held_out) if wanted.held_out else []
    measured = {"curriculum": _write(wanted, "held_curriculum", _held(), used)}
    if kept:
        measured["data"] = _write(wanted, "held_data", kept, used)
    added = _copying(wanted, used) if wanted.fresh else ()
    if wanted.replay and not wanted.fresh:
        talks = generate.made(_order(wanted, len(shard.lengths)))
        replay = write_shard(_place(wanted, "curriculum"), talks, used)
        added = (*added, Added(replay, wanted.replay))
    return Materials(shard, added, measured, tuple(kept))


def _order(wanted: Wanted, own: int) -> generate.Order:
    """The curriculum of a run: beside `own` conversations as many as its share lasts for."""
    beside = math.ceil(10 * own * wanted.replay / (1 - wanted.replay))
    return generate.Order(
        out=wanted.out,
        count=wanted.count or max(_FEWEST, beside),
        seed=wanted.seed,
        intents=wanted.intents,
        vocabulary=wanted.vocabulary,
    )


def _vocabulary(wanted: Wanted) -> Tokenizer:
    earlier = wanted.out / generate.TOKENIZER
    if earlier.exists():
        return generate.read_vocabulary(earlier)
    return generate.make_vocabulary(_order(wanted, 0))


def _copying(wanted: Wanted, tokenizer: Tokenizer) -> tuple[Added, ...]:
    count = min(max(_COPYING[0], wanted.count // 10), _COPYING[1])
    order = generate.Order(out=wanted.out, count=count, seed=wanted.seed, copying=True)
    shard = write_shard(_place(wanted, "copying"), generate.made(order), tokenizer)
    return (Added(shard, _COPYING_SHARE, _COPYING_UNTIL),)


def _held() -> list[Conversation]:
    """The curriculum's conversations about things that training never sees."""
    talks = (conversation(_HELD_SEED + seed, held_values=True) for seed in range(_HELD))
    return [Conversation(tuple(talk)) for talk in talks]


def _write(wanted: Wanted, name: str, talks: Sequence[Conversation], tokenizer: Tokenizer) -> Shard:
    return write_shard(_place(wanted, name), (one.messages for one in talks), tokenizer)


def _place(wanted: Wanted, name: str) -> Path:
    place = wanted.out / "data" / name if name != generate.TOKENIZER else wanted.out / name
    place.parent.mkdir(parents=True, exist_ok=True)
    return place
