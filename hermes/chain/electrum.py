"""A chain seen through an Electrum server (protocol 1.4), as `electrum+tls://`, `+tcp` or `+ws`.

The server learns which scripts are asked for. Ids, headers and branches are checked here;
values and heights of coins are its word until their transactions are looked at.
"""

import hashlib
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Self

import anyio
import msgspec
from anyio import AsyncContextManagerMixin

from hermes.chain.backend import Coin, Network, Outpoint, Place, Tip, Txid
from hermes.chain.checked import (
    Height,
    HeightOrNone,
    Index,
    answer_as,
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
from hermes.chain.electrum_session import ElectrumFailed, ElectrumSession
from hermes.chain.http import Limits
from hermes.chain.server import Server
from hermes.chain.work import HEADER, sha256d, shown
from hermes.errors import ChainLied, ChainRefused, ChainUnreachable

_UNKNOWN = re.compile(r"(?i)-5\b|no such|not found|missing tr|unknown tr")
_KNOWN = re.compile(r"(?i)-27\b|already[ -]in|already-known|already known")
_AT_ONCE = 20
_FIRST_S, _LAST_S = 0.05, 5.0


class _Subscribed(msgspec.Struct, frozen=True):
    hex: str
    height: Height


class _Headers(msgspec.Struct, frozen=True):
    count: int
    hex: str


class _Merkle(msgspec.Struct, frozen=True):
    block_height: Height
    pos: int
    merkle: list[str]


class _Seen(msgspec.Struct, frozen=True):
    tx_hash: Txid
    height: HeightOrNone


class _Unspent(msgspec.Struct, frozen=True):
    tx_hash: Txid
    tx_pos: Index
    height: HeightOrNone
    value: int


class ElectrumBackend(AsyncContextManagerMixin):
    """One Electrum server's view of the chain."""

    def __init__(self, server: Server, network: Network, limits: Limits | None = None) -> None:
        self._network = network
        self._session = ElectrumSession(server, limits or Limits())
        self.name = server.shown

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        """Ready to dial; nothing is dialled before the first question."""
        async with self._session:
            yield self

    async def genesis(self) -> str:
        """The hash of block 0, computed from its header."""
        header = bytes_from(answer_as(await self._ask("blockchain.block.header", 0), str), HEADER)
        return shown(sha256d(header))

    async def tip(self) -> Tip:
        """The best block, whose header shows work."""
        told = answer_as(await self._ask("blockchain.headers.subscribe"), _Subscribed)
        header = bytes_from(told.hex, HEADER)
        check_headers([header], self._network)
        return Tip(told.height, shown(sha256d(header)))

    async def headers(self, start: int, count: int) -> tuple[bytes, ...]:
        """Headers from a height upwards, each linked to the one before, with its work."""
        found: list[bytes] = []
        while len(found) < count:
            asked = (start + len(found), count - len(found))
            told = answer_as(await self._ask("blockchain.block.headers", *asked), _Headers)
            raw = bytes_from(told.hex)
            if len(raw) != told.count * HEADER or told.count > asked[1]:
                raise ChainLied(f"{self.name} sends another number of headers than it says")
            if not raw:
                break
            found += [raw[at : at + HEADER] for at in range(0, len(raw), HEADER)]
        check_headers(found, self._network)
        return tuple(found)

    async def transaction(self, txid: Txid) -> bytes | None:
        """The transaction, its id re-computed; None when the server knows none."""
        try:
            told = await self._session.call("blockchain.transaction.get", txid)
        except ElectrumFailed as error:
            if _UNKNOWN.search(error.words):
                return None
            raise self._cannot("blockchain.transaction.get", error) from error
        return transaction_from(answer_as(told, str), txid)

    async def height_of(self, txid: Txid, script: bytes) -> int | None:
        """The height of its block, 0 while it waits; looked up in the script's history."""
        for one in await self._history(script):
            if one.tx_hash == txid:
                return max(0, one.height)
        return None

    async def place(self, txid: Txid, height: int) -> Place:
        """A mined transaction's branch; raises ChainLied when it does not lead to its block."""
        told = answer_as(
            await self._ask("blockchain.transaction.get_merkle", txid, height), _Merkle
        )
        if told.block_height != height:
            raise ChainLied(f"{self.name} has the transaction in block {told.block_height}")
        branch = tuple(bytes_from(one, 32)[::-1] for one in told.merkle)
        (header,) = await self.headers(height, 1) or (b"",)
        return check_place(Place(height, told.pos, branch), txid, header)

    async def coins(self, script: bytes) -> tuple[Coin, ...]:
        """The unspent outputs that pay to a script."""
        told = await self._ask("blockchain.scripthash.listunspent", _scripthash(script))
        return tuple(
            check_coin(
                Coin(
                    Outpoint(one.tx_hash, one.tx_pos),
                    one.value,
                    script,
                    one.height if one.height > 0 else None,
                )
            )
            for one in answer_as(told, list[_Unspent])
        )

    async def spender(self, outpoint: Outpoint, script: bytes) -> Txid | None:
        """Which transaction spends an output, mined or not: looked for in the script's history."""
        seen = [one.tx_hash for one in await self._history(script)]
        if outpoint.txid not in seen:
            return None
        for start in range(0, len(seen), _AT_ONCE):
            txids = seen[start : start + _AT_ONCE]
            told = await self._session.batch("blockchain.transaction.get", [(t,) for t in txids])
            for txid, text in zip(txids, told, strict=True):
                if isinstance(text, ElectrumFailed):
                    continue  # it left the mempool meanwhile
                if outpoint in spends(transaction_from(answer_as(text, str), txid)):
                    return txid
        return None

    async def send(self, raw: bytes) -> Txid:
        """Hand a transaction to the network; one that is known already counts as sent."""
        txid = id_of(raw)
        try:
            told = await self._session.call("blockchain.transaction.broadcast", raw.hex())
        except ElectrumFailed as error:
            if _KNOWN.search(error.words):
                return txid
            raise ChainRefused(f"the server refused the transaction: {error.words}") from error
        if hash_from(answer_as(told, str)) != txid:
            raise ChainLied(f"{self.name} took another transaction than it was sent")
        return txid

    async def fee_rate(self, blocks: int) -> float:
        """Satoshi a virtual byte; 1 where the server cannot estimate."""
        return rate_from(answer_as(await self._ask("blockchain.estimatefee", blocks), float))

    async def next_tip(self, known: Tip, timeout_s: float) -> Tip:
        """Wait until the server tells of another best block, at most so many seconds."""
        end = anyio.current_time() + timeout_s
        pause = 0.0
        while True:
            heard = self._session.heard
            tip = await self.tip()
            left = end - anyio.current_time()
            if tip != known or left <= 0:
                return tip
            # Who calls without news, or hangs up each time, is asked ever more slowly.
            await anyio.sleep(min(pause, left))
            pause = min(2 * pause + _FIRST_S, _LAST_S)
            await self._session.news(heard, end - anyio.current_time())

    async def _history(self, script: bytes) -> list[_Seen]:
        told = await self._ask("blockchain.scripthash.get_history", _scripthash(script))
        return answer_as(told, list[_Seen])

    async def _ask(self, method: str, *params: object) -> object:
        try:
            return await self._session.call(method, *params)
        except ElectrumFailed as error:
            raise self._cannot(method, error) from error

    def _cannot(self, method: str, error: ElectrumFailed) -> ChainUnreachable:
        return ChainUnreachable(f"{self.name} cannot answer {method}: {error.words}")


def _scripthash(script: bytes) -> str:
    return shown(hashlib.sha256(script).digest())
