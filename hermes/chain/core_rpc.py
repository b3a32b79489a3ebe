"""A chain seen through Bitcoin Core (28 and later, `txindex=1`), as settings name `core+http://`.

Core keeps no index of scripts. Unspent coins come from a scan of all of them, which takes a
minute on the main network; of what waits in a mempool of more than 2,000 transactions only
those that spend our own coins are seen.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import anyio.to_thread
import msgspec
from anyio import AsyncContextManagerMixin

from hermes.chain.backend import Coin, Network, Outpoint, Place, Tip, Txid
from hermes.chain.checked import (
    Height,
    answer_as,
    bytes_from,
    check_headers,
    hash_from,
    id_of,
    rate_from,
)
from hermes.chain.core_coins import CoreCoins, fetch, unless_unknown
from hermes.chain.core_wire import CoreRpc, RpcFailed, refused
from hermes.chain.http import HttpDoor, Limits
from hermes.chain.merkle_block import read_proof
from hermes.chain.polling import other_tip
from hermes.chain.server import Server
from hermes.chain.work import sha256d, shown
from hermes.errors import ChainLied, ChainUnreachable

_KNOWN = -27
_BEHIND = 144


class _Info(msgspec.Struct, frozen=True):
    blocks: Height
    headers: Height
    bestblockhash: str


class _Where(msgspec.Struct, frozen=True):
    blockhash: str = ""
    confirmations: int = 0


class _Header(msgspec.Struct, frozen=True):
    height: Height
    confirmations: int


class _Fee(msgspec.Struct, frozen=True):
    feerate: float = 0.0


class CoreBackend(AsyncContextManagerMixin):
    """One node's view of the chain."""

    def __init__(self, server: Server, network: Network, limits: Limits | None = None) -> None:
        self._server = server
        self._network = network
        self._limits = limits or Limits()
        self._open: CoreRpc | None = None
        self.name = server.shown

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        """Open the door; nothing is dialled before the first question."""
        server = await anyio.to_thread.run_sync(_with_cookie, self._server)
        async with HttpDoor(server, self._limits) as door:
            self._open = CoreRpc(server, door)
            try:
                yield self
            finally:
                self._open = None

    async def genesis(self) -> str:
        """The hash of block 0."""
        return hash_from(answer_as(await self._rpc.ask("getblockhash", 0), str))

    async def tip(self) -> Tip:
        """The best block; raises ChainUnreachable while the node is far behind its headers."""
        info = answer_as(await self._rpc.ask("getblockchaininfo"), _Info)
        if info.headers - info.blocks > _BEHIND:
            raise ChainUnreachable(
                f"{self.name} has read {info.blocks} of {info.headers} blocks", "let it catch up"
            )
        return Tip(info.blocks, hash_from(info.bestblockhash))

    async def headers(self, start: int, count: int) -> tuple[bytes, ...]:
        """Headers from a height upwards, each linked to the one before, with its work."""
        end = min(start + count, (await self.tip()).height + 1)
        heights = [(height,) for height in range(start, end)]
        hashes = await self._strings("getblockhash", heights)
        told = await self._strings("getblockheader", [(one, False) for one in hashes])
        found = tuple(bytes_from(one, 80) for one in told)
        check_headers(found, self._network, hashes[0] if hashes else "")
        return found

    async def transaction(self, txid: Txid) -> bytes | None:
        """The transaction, its id re-computed; None when the node knows none."""
        return await fetch(self._rpc, txid)

    async def height_of(self, txid: Txid, script: bytes) -> int | None:
        """The height of its block, 0 while it waits."""
        del script
        try:
            told = await self._rpc.call("getrawtransaction", txid, 1)
        except RpcFailed as error:
            unless_unknown(error)
            return None
        where = answer_as(told, _Where)
        if not where.blockhash:
            return 0
        header = answer_as(
            await self._rpc.ask("getblockheader", hash_from(where.blockhash)), _Header
        )
        return header.height if header.confirmations > 0 else None

    async def place(self, txid: Txid, height: int) -> Place:
        """A mined transaction's branch; raises ChainLied when it does not lead to its block."""
        block = hash_from(answer_as(await self._rpc.ask("getblockhash", height), str))
        proof = bytes_from(answer_as(await self._rpc.ask("gettxoutproof", [txid], block), str))
        header, position, branch = read_proof(proof, bytes_from(txid, 32)[::-1])
        if shown(sha256d(header)) != block:
            raise ChainLied(f"{self.name} proves another block than it names")
        return Place(height, position, branch)

    async def coins(self, script: bytes) -> tuple[Coin, ...]:
        """The unspent outputs that pay to a script, as far as Core can tell (see above)."""
        return await CoreCoins(self._rpc, self.name).unspent(script)

    async def spender(self, outpoint: Outpoint, script: bytes) -> Txid | None:
        """Which transaction spends an output, mined or not."""
        return await CoreCoins(self._rpc, self.name).spender(outpoint, script)

    async def send(self, raw: bytes) -> Txid:
        """Hand a transaction to the network; one that is known already counts as sent."""
        txid = id_of(raw)
        try:
            told = answer_as(await self._rpc.call("sendrawtransaction", raw.hex()), str)
        except RpcFailed as error:
            if error.code == _KNOWN:
                return txid
            raise refused(error) from error
        if hash_from(told) != txid:
            raise ChainLied(f"{self.name} took another transaction than it was sent")
        return txid

    async def fee_rate(self, blocks: int) -> float:
        """Satoshi a virtual byte; 1 where the node cannot estimate."""
        return rate_from(answer_as(await self._rpc.ask("estimatesmartfee", blocks), _Fee).feerate)

    async def next_tip(self, known: Tip, timeout_s: float) -> Tip:
        """Look until the best block is another, at most so many seconds."""
        return await other_tip(self.tip, known, timeout_s)

    async def _strings(self, method: str, params: Sequence[Sequence[object]]) -> list[str]:
        told = await self._rpc.batch(method, params)
        if any(isinstance(one, RpcFailed) for one in told):
            raise ChainUnreachable(f"the chain of {self.name} changed meanwhile", "try again")
        return answer_as(told, list[str])

    @property
    def _rpc(self) -> CoreRpc:
        assert self._open is not None, "the backend is not open"
        return self._open


def _with_cookie(server: Server) -> Server:
    """Read the file that Core writes anew at each start; raises ChainUnreachable without it."""
    if not server.cookie:
        return server
    try:
        user, _, password = Path(server.cookie).read_text("ascii").strip().partition(":")
    except (OSError, UnicodeDecodeError) as error:
        raise ChainUnreachable(
            f"the cookie of {server.shown} cannot be read: {type(error).__name__}",
            "start Core, or name its .cookie file in chain.backend (?cookie=)",
        ) from error
    return msgspec.structs.replace(server, user=user, password=password)
