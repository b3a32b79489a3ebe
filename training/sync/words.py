"""What workers of a mesh run say to each other; JSON, each message small enough for one event.

Whoever may say it is checked before by the envelope around it; here only its form is.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import msgspec

from hermes.errors import SyncRefused
from hermes.mesh.blob_seal import Reference
from training.sync.transport import WORKER

MOST_WORKERS = 64
"""So that a settled round, with every worker's reference, fits one message."""
MOST_BYTES = 40_000
_PART = 40

Name = Annotated[str, msgspec.Meta(pattern=rf"\A{WORKER.pattern}\Z")]
Round = Annotated[int, msgspec.Meta(ge=0, lt=10**8)]
Ballot = tuple[Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)], str]
"""A count and who asks: of two ballots one is the higher."""
NONE: Ballot = (0, "")


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """What a worker made, and the blob that holds it."""

    worker: Name
    blob: Reference


Value = Annotated[tuple[Entry, ...], msgspec.Meta(max_length=MOST_WORKERS)]
"""What is decided: whose contributions count, or whose state it is; sorted by worker."""


class Slot(msgspec.Struct, frozen=True, array_like=True, order=True):
    """Something to be decided once."""

    round: Round
    kind: Literal["settled", "state"]


class Prepare(msgspec.Struct, frozen=True, tag="prepare"):
    """Asks for a promise not to take a lower ballot."""

    slot: Slot
    ballot: Ballot


class Promise(msgspec.Struct, frozen=True, tag="promise"):
    """Given; with what was accepted before, if anything."""

    slot: Slot
    ballot: Ballot
    accepted: Ballot
    value: Value


class Accept(msgspec.Struct, frozen=True, tag="accept"):
    """Asks to accept a value."""

    slot: Slot
    ballot: Ballot
    value: Value


class Accepted(msgspec.Struct, frozen=True, tag="accepted"):
    """Done, and everything that the value names is held."""

    slot: Slot
    ballot: Ballot


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    """A higher ballot was promised to another."""

    slot: Slot
    ballot: Ballot
    promised: Ballot


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """What is new? `since` is the first round that is not settled here, the rest what is known."""

    since: Round
    here: Annotated[tuple[Name, ...], msgspec.Meta(max_length=MOST_WORKERS)] = ()
    offered: Annotated[tuple[Name, ...], msgspec.Meta(max_length=MOST_WORKERS)] = ()
    states: Annotated[tuple[Round, ...], msgspec.Meta(max_length=8)] = ()
    done: bool = False
    """Whether its run is over, and it is here only for the others."""


class Here(msgspec.Struct, frozen=True, array_like=True):
    """A worker works on a round."""

    round: Round
    worker: Name


class Offer(msgspec.Struct, frozen=True, array_like=True):
    """A worker delivered in a round."""

    round: Round
    entry: Entry


class Decision(msgspec.Struct, frozen=True, array_like=True):
    """What a majority accepted."""

    slot: Slot
    value: Value


class Tell(msgspec.Struct, frozen=True, tag="tell"):
    """News, in any order and any number of times."""

    here: Annotated[tuple[Here, ...], msgspec.Meta(max_length=MOST_WORKERS)] = ()
    offers: Annotated[tuple[Offer, ...], msgspec.Meta(max_length=MOST_WORKERS)] = ()
    decisions: Annotated[tuple[Decision, ...], msgspec.Meta(max_length=MOST_WORKERS)] = ()


Word = Prepare | Promise | Accept | Accepted | Refusal | Ask | Tell

_DECODER = msgspec.json.Decoder(Word)


def write_word(word: Word) -> bytes:
    """A message as it travels."""
    return msgspec.json.encode(word)


def read_word(data: bytes) -> Word:
    """Read a message; SyncRefused for anything else."""
    if len(data) > MOST_BYTES:
        raise SyncRefused(f"a message of {len(data)} bytes is too long")
    try:
        return _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise SyncRefused(f"that is no message of a training run: {error}") from error


def tells(
    here: Iterable[Here], offers: Iterable[Offer], decisions: Iterable[Decision]
) -> Iterator[Tell]:
    """News cut into messages of a size that travels."""
    heres, offered = tuple(here), tuple(offers)
    for at in range(0, max(len(heres), len(offered)), _PART):
        yield Tell(heres[at : at + _PART], offered[at : at + _PART])
    for decision in decisions:
        yield Tell(decisions=(decision,))
