"""What nodes of a fleet say to each other about conversations: `have`, `want` and `blocks`.

What cannot be read is dropped; whose it is, and whether it holds, is judged behind this.
"""

import hashlib
import zlib
from collections.abc import Mapping
from typing import Annotated

import anyio.to_thread
import msgspec

from hermes.core.ids import ConversationId
from hermes.store.replica_values import Conversation, Names, Parcel, State
from hermes.store.replicas import Wanted

HAVE, WANT, BLOCKS = "have", "want", "blocks"
ROWS = 400
"""Conversations of one `have`."""
ASKS = 100
"""Conversations of one `want`."""
MOST = 512_000
"""Bytes of messages in one `blocks`."""
MOST_OPENED = 128 << 20
_SMALL = 4_096
_Mark = Annotated[str, msgspec.Meta(max_length=16)]
_Number = Annotated[str, msgspec.Meta(max_length=16)]


class Row(msgspec.Struct, frozen=True, array_like=True):
    """How far a conversation is at the sender's."""

    id: Conversation
    heads: Names
    mark: _Mark


class Have(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far some conversations are here.

    `ask`: say how far they are at yours. `private`: these are private now. `total`: the digest
    of all there are here, "" for unsaid. `whole`: tell me of all of yours.
    """

    rows: Annotated[tuple[Row, ...], msgspec.Meta(max_length=ROWS)]
    ask: bool = False
    private: Annotated[tuple[Conversation, ...], msgspec.Meta(max_length=ROWS)] = ()
    total: Annotated[str, msgspec.Meta(max_length=64)] = ""
    whole: bool = False


class Ask(msgspec.Struct, frozen=True, array_like=True):
    """A conversation, and messages of it that are here."""

    id: Conversation
    known: Names


class Want(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Give me what I lack; `number` comes back with it."""

    number: _Number
    asks: Annotated[tuple[Ask, ...], msgspec.Meta(max_length=ASKS)]


class Blocks(msgspec.Struct, frozen=True, array_like=True):
    """Messages; `none`: what was asked for and cannot be given."""

    number: _Number
    parcels: Annotated[tuple[Parcel, ...], msgspec.Meta(max_length=ASKS)]
    none: Annotated[tuple[Conversation, ...], msgspec.Meta(max_length=ASKS)] = ()


_READER = msgspec.msgpack.Decoder(Blocks)


def pack(blocks: Blocks) -> bytes:
    """As a letter carries it: deflated."""
    return zlib.compress(msgspec.msgpack.encode(blocks), 1)


def unpack(data: bytes) -> Blocks:
    """Read it back, opened to a bound; raises ValueError."""
    try:
        opener = zlib.decompressobj()
        plain = opener.decompress(data, MOST_OPENED)
        if not opener.eof:
            raise ValueError("it is too large, or cut off")
        return _READER.decode(plain)
    except (zlib.error, msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"no blocks: {error}") from error


async def opened(data: bytes) -> Blocks:
    """Read it back beside the loop where it may be large once it is open; raises ValueError."""
    if len(data) <= _SMALL:
        return unpack(data)
    return await anyio.to_thread.run_sync(unpack, data)


def rows_of(states: Mapping[ConversationId, State]) -> tuple[Row, ...]:
    """States as they are told."""
    return tuple(Row(place, one.heads, one.mark) for place, one in states.items())


def ask_of(wanted: Wanted) -> Ask:
    """A wish as it is told."""
    return Ask(wanted.conversation, wanted.known)


def total_of(states: Mapping[ConversationId, State]) -> str:
    """The digest of states: two nodes that hold the same hold one total."""
    digest = hashlib.sha256()
    for place in sorted(states):
        digest.update(msgspec.json.encode((place, states[place])))
    return digest.hexdigest()
