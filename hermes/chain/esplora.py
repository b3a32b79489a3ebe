"""A chain seen through Esplora's HTTP API (Blockstream, mempool.space), as `esplora+https://`.

The server learns which addresses are asked for. Ids, headers and branches are checked here;
values and heights of coins are its word until their transactions are looked at.
"""

import re
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Self, TypeVar

import msgspec
from anyio import AsyncContextManagerMixin

from hermes.chain.addresses import address_of
from hermes.chain.backend import Coin, Network, Outpoint, Place, Tip, Txid
from hermes.chain.checked import (
    Height,
    Index,
    bytes_from,
    check_coin,
    check_headers,
    check_place,
    hash_from,
    id_of,
    rate_from,
    spends,
    transaction_from,
)
from hermes.chain.http import Answer, HttpDoor, Limits
from hermes.chain.polling import other_tip
from hermes.chain.server import Server, said
from hermes.chain.work import sha256d, shown
from hermes.errors import ChainLied, ChainRefused, ChainUnreachable

_T = TypeVar("_T")
_NOT_FOUND = 404
_REFUSED = 400
_KNOWN = re.compile(r'"code":\s*-27\b')
_PER_KB = 100_000.0
_ZERO = "00" * 32


class _Block(msgspec.Struct, frozen=True):
    id: str
    height: Height
    version: int
    timestamp: int
    merkle_root: str
    nonce: int
    bits: int
    previousblockhash: str | None = None


class _Status(msgspec.Struct, frozen=True):
    confirmed: bool
    block_height: Height | None = None


class _Proof(msgspec.Struct, frozen=True):
    block_height: Height
    merkle: list[str]
    pos: int


class _Spend(msgspec.Struct, frozen=True):
    spent: bool
    txid: Txid | None = None


class _Unspent(msgspec.Struct, frozen=True):
    txid: Txid
    vout: Index
    value: int
    status: _Status


class EsploraBackend(AsyncContextManagerMixin):
    """One Esplora server's view of the chain."""

    def __init__(self, server: Server, network: Network, limits: Limits | None = None) -> None:
        self._network = network
        self._door = HttpDoor(server, limits or Limits())
        self.name = server.shown

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        """Open the door; nothing is dialled before the first question."""
        async with self._door:
            yield self

    async def genesis(self) -> str:
        """The hash of block 0."""
        return hash_from(await self._text("/block-height/0"))

    async def tip(self) -> Tip:
        """The best block."""
        block = hash_from(await self._text("/blocks/tip/hash"))
        told = await self._json(f"/block/{block}", _Block)
        if shown(sha256d(_header(told))) != block:
            raise ChainLied(f"{self.name} names another block than its best one")
        return Tip(told.height, block)

    async def headers(self, start: int, count: int) -> tuple[bytes, ...]:
        """Headers from a height upwards, each linked to the one before, with its work."""
        highest = top = min(start + count, (await self.tip()).height + 1) - 1
        found: dict[int, bytes] = {}
        while top >= start:
            for block in await self._json(f"/blocks/{top}", list[_Block]):
                found.setdefault(block.height, _header(block))
            lower = min(found, default=top)
            if lower > top or top not in found:
                raise ChainLied(f"{self.name} leaves headers out")
            top = lower - 1
        if any(height not in found for height in range(start, highest + 1)):
            raise ChainLied(f"{self.name} leaves headers out")
        kept = tuple(found[height] for height in range(start, highest + 1))
        check_headers(kept, self._network)
        return kept

    async def transaction(self, txid: Txid) -> bytes | None:
        """The transaction, its id re-computed; None when the server knows none."""
        answer = await self._door.ask("GET", f"/tx/{txid}/hex")
        if answer.status == _NOT_FOUND:
            return None
        return transaction_from(self._plain(answer), txid)

    async def height_of(self, txid: Txid, script: bytes) -> int | None:
        """The height of its block, 0 while it waits."""
        del script
        answer = await self._door.ask("GET", f"/tx/{txid}/status")
        if answer.status == _NOT_FOUND:
            return None
        status = self._decoded(answer, _Status)
        if not status.confirmed:  # some servers say this of what they never saw
            return 0 if await self.transaction(txid) is not None else None
        return status.block_height

    async def place(self, txid: Txid, height: int) -> Place:
        """A mined transaction's branch; raises ChainLied when it does not lead to its block."""
        proof = await self._json(f"/tx/{txid}/merkle-proof", _Proof)
        if proof.block_height != height:
            raise ChainLied(f"{self.name} has the transaction in block {proof.block_height}")
        branch = tuple(bytes_from(one, 32)[::-1] for one in proof.merkle)
        (header,) = await self.headers(height, 1) or (b"",)
        return check_place(Place(height, proof.pos, branch), txid, header)

    async def coins(self, script: bytes) -> tuple[Coin, ...]:
        """The unspent outputs that pay to a script."""
        try:
            address = address_of(script, self._network)
        except ValueError as error:
            raise ChainUnreachable(
                "Esplora knows addresses only, and this script has none"
            ) from error
        told = await self._json(f"/address/{address}/utxo", list[_Unspent])
        return tuple(
            check_coin(Coin(Outpoint(one.txid, one.vout), one.value, script, _height(one.status)))
            for one in told
        )

    async def spender(self, outpoint: Outpoint, script: bytes) -> Txid | None:
        """Which transaction spends an output, mined or not."""
        del script
        told = await self._json(f"/tx/{outpoint.txid}/outspend/{outpoint.index}", _Spend)
        if not told.spent or told.txid is None:
            return None
        raw = await self.transaction(told.txid)
        if raw is None or outpoint not in spends(raw):
            raise ChainLied(f"{self.name} names a spender that does not spend the coin")
        return told.txid

    async def send(self, raw: bytes) -> Txid:
        """Hand a transaction to the network; one that is known already counts as sent."""
        txid = id_of(raw)
        answer = await self._door.ask("POST", "/tx", raw.hex().encode())
        words = answer.body.decode("utf-8", "replace")
        if answer.status == _REFUSED:
            if _KNOWN.search(words):
                return txid
            raise ChainRefused(f"the server refused the transaction: {said(words)}")
        if hash_from(self._plain(answer)) != txid:
            raise ChainLied(f"{self.name} took another transaction than it was sent")
        return txid

    async def fee_rate(self, blocks: int) -> float:
        """Satoshi a virtual byte: the estimate for the farthest target within so many blocks."""
        told = await self._json("/fee-estimates", dict[int, float])
        near = [target for target in told if target <= blocks]
        target = max(near) if near else min(told, default=0)
        return rate_from(told.get(target, 1.0) / _PER_KB)

    async def next_tip(self, known: Tip, timeout_s: float) -> Tip:
        """Look until the best block is another, at most so many seconds."""
        return await other_tip(self.tip, known, timeout_s)

    async def _text(self, path: str) -> str:
        return self._plain(await self._door.ask("GET", path))

    async def _json(self, path: str, kind: type[_T]) -> _T:
        return self._decoded(await self._door.ask("GET", path), kind)

    def _plain(self, answer: Answer) -> str:
        self._check(answer)
        return answer.body.decode("utf-8", "replace").strip()

    def _decoded(self, answer: Answer, kind: type[_T]) -> _T:
        self._check(answer)
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise ChainLied(f"{self.name} answers in another form: {said(error)}") from error

    def _check(self, answer: Answer) -> None:
        if not answer.good:
            words = said(answer.body[:200].decode("utf-8", "replace"))
            raise ChainUnreachable(
                f"{self.name} answers with status {answer.status}: {words}",
                "check chain.backend, whose path ends where the API begins (/api)",
            )


def _height(status: _Status) -> int | None:
    return status.block_height if status.confirmed else None


def _header(block: _Block) -> bytes:
    """The 80 bytes that a told block stands for; raises ChainLied."""
    previous = bytes_from(block.previousblockhash or _ZERO, 32)[::-1]
    root = bytes_from(block.merkle_root, 32)[::-1]
    try:
        end = struct.pack("<III", block.timestamp, block.bits, block.nonce)
        return struct.pack("<i", block.version) + previous + root + end
    except struct.error as error:
        raise ChainLied("a server tells of a block that cannot be") from error
