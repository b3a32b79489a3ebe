"""Frames of the sync sockets: a small msgpack head and a body, each with its length before it.

Apart because both ends share it. Lengths are checked before anything is read; tokens never
travel, only what they make of the other side's nonce.
"""

import hashlib
import hmac
from typing import Literal, TypeVar

import anyio
import anyio.abc
import msgspec
from anyio.streams.buffered import BufferedByteReceiveStream

from hermes.errors import SyncRefused, SyncUnreachable
from training.sync.transport import Look

NONCE = 32
LONGEST_WAIT_S = 20.0
_HEAD_LIMIT = 64 * 1024
_CHUNK = 256 * 1024

Action = Literal["publish", "fetch", "look", "settle", "states"]


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a worker asks; `proof` is its token's mark on the nonce.

    The hub answers twice: whether it admits the request, and, after the body, what came of it.
    """

    worker: str
    proof: bytes
    action: Action
    round: int = 0
    name: str = ""
    limit: int = 0
    workers: tuple[str, ...] = ()
    seen: Look | None = None
    wait_s: float = 0


class Answer(msgspec.Struct, frozen=True):
    """What comes back; the second one has a body."""

    refused: str = ""
    unreachable: bool = False
    done: bool = False
    look: Look | None = None
    workers: tuple[str, ...] = ()
    states: tuple[int, ...] = ()


Head = TypeVar("Head", Request, Answer)


def proof(token: str, worker: str, nonce: bytes) -> bytes:
    """What only a holder of the token can say about this nonce."""
    return hmac.new(token.encode(), nonce + worker.encode(), hashlib.sha256).digest()


async def send_head(stream: anyio.abc.ByteSendStream, head: Request | Answer) -> None:
    """A frame's head."""
    packed = msgspec.msgpack.encode(head)
    await stream.send(len(packed).to_bytes(4, "big") + packed)


async def send_body(stream: anyio.abc.ByteSendStream, body: bytes) -> None:
    """A frame's body."""
    await stream.send(len(body).to_bytes(8, "big"))
    for at in range(0, len(body), _CHUNK):
        await stream.send(body[at : at + _CHUNK])


async def receive_head(stream: BufferedByteReceiveStream, kind: type[Head]) -> Head:
    """A frame's head; SyncRefused for anything else."""
    size = int.from_bytes(await stream.receive_exactly(4), "big")
    if size > _HEAD_LIMIT:
        raise SyncRefused(f"a head of {size} bytes is too long")
    try:
        return msgspec.msgpack.decode(await stream.receive_exactly(size), type=kind)
    except msgspec.DecodeError as error:
        raise SyncRefused(f"that is no frame of the sync protocol: {error}") from error


async def receive_body(stream: BufferedByteReceiveStream, limit: int) -> bytes:
    """A frame's body of at most `limit` bytes."""
    size = int.from_bytes(await stream.receive_exactly(8), "big")
    if size > limit:
        raise SyncRefused(f"a body of {size} bytes, the limit is {limit}")
    whole = bytearray()
    while len(whole) < size:
        whole += await stream.receive(min(_CHUNK, size - len(whole)))
    return bytes(whole)


def raised(answer: Answer) -> None:
    """Raise what the other side says went wrong."""
    if answer.refused:
        raise (SyncUnreachable if answer.unreachable else SyncRefused)(answer.refused)
