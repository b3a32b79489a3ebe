"""What nodes say to each other about the mesh itself, and how it is read from hostile bytes.

Every list and text is bounded here. Does not guard against who sends: the envelope around it does.
"""

from enum import IntEnum
from typing import Annotated

import msgspec

from hermes.mesh.members import BUCKETS, Moment, NodeKey, Report, Standing

MOST_BYTES = 49_152
MOST_REPORTS = 64
MOST_BRIEFS = 400
_Nonce = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_Digest = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
_Reports = Annotated[tuple[Report, ...], msgspec.Meta(max_length=MOST_REPORTS)]


class _Message(msgspec.Struct, frozen=True, tag_field="t", forbid_unknown_fields=True, gc=False):
    """One message; its tag stands in `t`."""


class Ping(_Message, frozen=True, gc=False, tag="ping"):
    """Are you there? Says how the asked one is held, so that it can refute at once."""

    nonce: _Nonce
    incarnation: Moment
    held: Moment = 0
    standing: Standing = Standing.ALIVE


class Ack(_Message, frozen=True, gc=False, tag="ack"):
    """`node` is there; and how the asker is held."""

    nonce: _Nonce
    node: NodeKey
    incarnation: Moment
    held: Moment = 0
    standing: Standing = Standing.ALIVE


class PingFor(_Message, frozen=True, gc=False, tag="ping_for"):
    """Please ask `target` for me: I get no answer."""

    nonce: _Nonce
    target: NodeKey


class Rumours(_Message, frozen=True, gc=False, tag="rumours"):
    """News of members, passed on a few times by each who heard it."""

    reports: _Reports


class Summary(_Message, frozen=True, gc=False, tag="summary"):
    """A table in a few numbers: one digest a bucket, and one over the recent topic items."""

    digests: Annotated[dict[int, _Digest], msgspec.Meta(max_length=BUCKETS)]
    items: _Digest


class Brief(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A row of a table without its card."""

    node: NodeKey
    incarnation: Moment
    standing: Standing
    version: Moment


class Briefs(_Message, frozen=True, gc=False, tag="briefs"):
    """Rows where two tables differ; `items` are the ids of recent topic items, None: no matter."""

    buckets: Annotated[tuple[int, ...], msgspec.Meta(max_length=BUCKETS)]
    rows: Annotated[tuple[Brief, ...], msgspec.Meta(max_length=MOST_BRIEFS)]
    items: Annotated[tuple[_Id, ...], msgspec.Meta(max_length=MOST_BRIEFS)] | None = None


class Rows(_Message, frozen=True, gc=False, tag="rows"):
    """Whole rows that the other lacks, and the names of those and of items that we lack."""

    reports: _Reports = ()
    wanted: Annotated[tuple[NodeKey, ...], msgspec.Meta(max_length=MOST_BRIEFS)] = ()
    items: Annotated[tuple[_Id, ...], msgspec.Meta(max_length=MOST_BRIEFS)] = ()


class Topic(_Message, frozen=True, gc=False, tag="topic"):
    """Something said to all: passed on to every neighbour, once. `proof` is its author's."""

    id: _Id
    topic: Annotated[str, msgspec.Meta(max_length=64)]
    origin: NodeKey
    issued_at: Moment
    expires_at: Moment
    body: Annotated[str, msgspec.Meta(max_length=32_768)]
    proof: Annotated[str, msgspec.Meta(max_length=256)] = ""


Probing = Ping | Ack | PingFor
Saying = Rumours | Summary | Briefs | Rows | Topic
Message = Probing | Saying

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


class Unread(IntEnum):
    """Why bytes are no message."""

    TOO_LARGE = 1
    MALFORMED = 2


def encode_gossip(message: Message) -> bytes:
    """Write a message as JSON, the payload of an envelope of type `gossip`."""
    return _ENCODER.encode(message)


def decode_gossip(data: bytes) -> Message | Unread:
    """Read a message; says why where it is none."""
    if len(data) > MOST_BYTES:
        return Unread.TOO_LARGE
    try:
        return _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Unread.MALFORMED
