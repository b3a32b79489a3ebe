"""What a server says, checked as far as it can be alone: ids, headers' links and work, numbers.

Not checked here: that the headers are the best chain's, and that a branch leads to one of them
(`headers`, `spv`: whoever asks does it).
"""

import math
from collections.abc import Sequence
from typing import Annotated, TypeVar

import msgspec
from bitcoin.core import CBlock, CTransaction
from bitcoin.core.serialize import SerializationError

from hermes.chain.backend import Coin, Network, Outpoint, Place, Txid
from hermes.chain.server import said
from hermes.chain.spv import merkle_root
from hermes.chain.work import HEADER, check_work, sha256d, shown
from hermes.errors import ChainLied, ProofInvalid

Height = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
"""A block's height as a server may tell it."""
HeightOrNone = Annotated[int, msgspec.Meta(ge=-1, le=2**31 - 1)]
"""The same as Electrum tells it: 0 and -1 while the transaction waits."""
Index = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
"""The number of an output."""
Amount = Annotated[float, msgspec.Meta(ge=0, le=21_000_000)]
"""Bitcoin."""
_T = TypeVar("_T")
_DEAREST = 1_000_000.0
_PER_KB = 100_000.0  # bitcoin a thousand bytes, in satoshi a byte


def read_transaction(raw: bytes) -> CTransaction:
    """A transaction's structure; raises ChainLied on anything else."""
    try:
        return CTransaction.deserialize(raw)
    except (SerializationError, ValueError, MemoryError, OverflowError) as error:
        raise ChainLied("a server sent bytes that are no transaction") from error


def id_of(raw: bytes) -> Txid:
    """The id of a transaction; raises ChainLied when it is none."""
    read = read_transaction(raw)
    bare = CTransaction(read.vin, read.vout, read.nLockTime, read.nVersion)
    return Txid(shown(sha256d(bytes(bare.serialize()))))


def transactions_of(block: bytes) -> list[bytes]:
    """The transactions of a block; raises ChainLied on anything else."""
    try:
        return [bytes(one.serialize()) for one in CBlock.deserialize(block).vtx]
    except (SerializationError, ValueError, MemoryError, OverflowError) as error:
        raise ChainLied("a server sent bytes that are no block") from error


def transaction_from(text: str, txid: Txid) -> bytes:
    """A transaction from a server's hex, once its id is the one asked for; else ChainLied."""
    raw = bytes_from(text)
    if id_of(raw) != txid:
        raise ChainLied(f"a server sent another transaction than {txid}")
    return raw


def bytes_from(text: str, size: int = 0) -> bytes:
    """Bytes from hex, of a size where one is given; raises ChainLied."""
    try:
        data = bytes.fromhex(text)
    except ValueError:
        raise ChainLied(f"a server sent {said(text[:80])!r} for hex") from None
    if size and len(data) != size:
        raise ChainLied(f"a server sent {len(data)} bytes for {size}")
    return data


def hash_from(text: str) -> str:
    """A hash in people's order; raises ChainLied on anything else."""
    bytes_from(text, 32)
    return text.lower()


def check_headers(headers: Sequence[bytes], network: Network, first: str = "") -> None:
    """Each header follows the one before and shows work; raises ChainLied.

    Args:
        headers: in order.
        network: whose limit of work holds.
        first: the hash of the first one, where it is known.
    """
    before = b""
    for number, header in enumerate(headers):
        if len(header) != HEADER:
            raise ChainLied("a server sent a header that is not 80 bytes")
        if before and header[4:36] != before:
            raise ChainLied("a server sent headers that do not follow each other")
        try:
            before = check_work(header, network)
        except ProofInvalid as error:
            raise ChainLied(f"a server sent a header without work: {error.message}") from error
        if number == 0 and first and shown(before) != first:
            raise ChainLied("a server sent another header than its hash says")


def check_place(place: Place, txid: Txid, header: bytes) -> Place:
    """The branch leads from the transaction to the header; raises ChainLied."""
    try:
        root = merkle_root(bytes_from(txid, 32)[::-1], place.position, place.branch)
    except ProofInvalid as error:
        raise ChainLied(f"a server sent a branch that cannot be: {error.message}") from error
    if root != header[36:68]:
        raise ChainLied("a server sent a branch that does not lead to its block")
    return place


def check_coin(coin: Coin) -> Coin:
    """A coin with possible numbers; raises ChainLied."""
    possible = 0 <= coin.value <= 21_000_000 * 100_000_000 and coin.outpoint.index >= 0
    if not possible or (coin.height is not None and coin.height < 0):
        raise ChainLied("a server tells of a coin that cannot be")
    hash_from(coin.outpoint.txid)
    return coin


def rate_from(per_kb: float) -> float:
    """Satoshi a virtual byte from bitcoin a thousand bytes; at least 1. Raises ChainLied."""
    rate = per_kb * _PER_KB
    if not math.isfinite(rate) or rate > _DEAREST:
        raise ChainLied("a server asks for an impossible fee rate")
    return max(1.0, rate)


def outputs_to(raw: bytes, script: bytes, height: int | None) -> list[Coin]:
    """The outputs of a transaction that pay to a script."""
    txid = id_of(raw)
    return [
        Coin(Outpoint(txid, number), int(one.nValue), script, height)
        for number, one in enumerate(read_transaction(raw).vout)
        if bytes(one.scriptPubKey) == script
    ]


def spends(raw: bytes) -> set[Outpoint]:
    """The outputs that a transaction spends."""
    return {
        Outpoint(Txid(shown(bytes(one.prevout.hash))), int(one.prevout.n))
        for one in read_transaction(raw).vin
    }


def answer_as(value: object, kind: type[_T]) -> _T:
    """A server's decoded answer as a type; raises ChainLied where it does not fit."""
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise ChainLied(f"a server's answer has another form: {said(error)}") from error
