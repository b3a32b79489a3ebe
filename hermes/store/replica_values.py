"""What of a conversation goes from one node of a fleet to another; everything in it is checked.

Bounds stand on the fields, so that reading a value is judging its form.
"""

import hashlib
from collections.abc import Iterable
from typing import Annotated, Literal, NamedTuple

import msgspec

from hermes.core.ids import Cid, ConversationId, SessionId, TurnId
from hermes.core.request import TurnRequest

LATEST = 253_402_300_799_999
"""The end of the year 9999, ms."""
MOST_TITLE = 400
MOST_HEADS = 1_024
MOST_TAKEN = 20_000
"""Messages of one conversation that were ever taken back."""
_Moment = Annotated[int, msgspec.Meta(ge=0, le=LATEST)]
Name = Annotated[Cid, msgspec.Meta(max_length=64, pattern=r"\Ab[a-z2-7]+\Z")]
Place = Annotated[str, msgspec.Meta(pattern=r"\A([0-9a-f]{64})?\Z")]
Names = Annotated[tuple[Name, ...], msgspec.Meta(max_length=4_096)]
Conversation = Annotated[
    ConversationId, msgspec.Meta(pattern=r"\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
]


class State(NamedTuple):
    """How far a conversation is somewhere: its heads, and a digest of what else is replicated."""

    heads: tuple[Cid, ...]
    mark: str


class Held(NamedTuple):
    """How far a conversation is here, and the node where its directory is."""

    state: State
    place: str


class Ended(msgspec.Struct, frozen=True, array_like=True):
    """The record of a turn that is over, for who asks again; times in ms."""

    id: Annotated[TurnId, msgspec.Meta(max_length=64)]
    session: Annotated[SessionId, msgspec.Meta(max_length=64)]
    state: Literal["finished", "failed", "stopped", "interrupted"]
    request: TurnRequest
    started: _Moment
    finished: _Moment
    attempts: Annotated[int, msgspec.Meta(ge=0, le=1_000)]
    text: str
    error: str
    remedy: str
    usage: dict[str, int]


class Parcel(msgspec.Struct, frozen=True, array_like=True):
    """Messages of one conversation, parents first, and what is true of it beside them.

    Attributes:
        id: the conversation.
        heads: what of the sender's history these messages lead up to.
        blocks: the messages' canonical bytes; their names are made again where they arrive.
        more: there is more behind these heads: ask again.
        turns: records of turns that these messages are of.
        taken: messages taken back an odd number of times, or brought back an even one.
        title, titled: the latest name, and when a person gave it (0: it was made).
        place: the node on whose machine the directory `root` is.
    """

    id: Conversation
    heads: Names
    blocks: Annotated[tuple[bytes, ...], msgspec.Meta(max_length=20_000)]
    more: bool
    turns: Annotated[tuple[Ended, ...], msgspec.Meta(max_length=20_000)]
    taken: Annotated[dict[Name, Annotated[int, msgspec.Meta(ge=1, le=1 << 20)]],
                     msgspec.Meta(max_length=MOST_TAKEN)]  # fmt: skip
    title: Annotated[str, msgspec.Meta(max_length=MOST_TITLE)]
    titled: _Moment
    place: Place
    root: Annotated[str, msgspec.Meta(max_length=4_096)]
    created: _Moment


def mark_of(title: str, titled: int, place: str, taken: Iterable[tuple[Cid, int]]) -> str:
    """The digest of what is replicated beside the messages."""
    plain = msgspec.json.encode((title[:MOST_TITLE], titled, place, sorted(taken)))
    return hashlib.sha256(plain).hexdigest()[:16]


def state_of(parcel: Parcel) -> State:
    """How far a conversation is at a parcel's sender, who has nothing behind it."""
    mark = mark_of(parcel.title, parcel.titled, parcel.place, parcel.taken.items())
    return State(tuple(sorted(parcel.heads)), mark)


class Taken(NamedTuple):
    """What came of a parcel.

    `fresh`: messages that are new here. `refused`: blocks that were not let in, and why.
    `lacking`: something before them is not here, ask again. `parted`: it has two heads, and
    had not. `moved`: heads or the rest are others than before.
    """

    fresh: int = 0
    refused: tuple[str, ...] = ()
    lacking: bool = False
    parted: bool = False
    moved: bool = False
