"""`Regtest`: a Bitcoin chain of one's own for tests and for people who try things out."""

import secrets
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self, TypeVar

import anyio
import anyio.to_thread
from anyio import AsyncContextManagerMixin

from hermes.chain.backend import Coin, Outpoint, Tip, Txid
from hermes.core.clock import Clock, SystemClock
from hermes.testing.regtest import rpc, wallet
from hermes.testing.regtest.loopback import Asked, Reply, serve
from hermes.testing.regtest.node import Node
from hermes.testing.regtest.parsed import shown
from hermes.testing.regtest.policy import Rates
from hermes.testing.regtest.rpc_chain import ChainCalls
from hermes.testing.regtest.rpc_coins import CoinCalls
from hermes.testing.regtest.rpc_pool import PoolCalls

_T = TypeVar("_T")
_UNAUTHORISED = 401
_HEIGHT_MOST = 3_000


class Regtest(AsyncContextManagerMixin):
    """One chain, consensus by Bitcoin Core's own engine; Core-style JSON-RPC on loopback.

    Args:
        port: of the RPC; 0 for any free one.
        clock: what new blocks take their time from; the kernel refuses the far future.
        spender_index: False makes its RPC that of Core before 31.
    """

    def __init__(
        self, port: int = 0, clock: Clock | None = None, *, spender_index: bool = True
    ) -> None:
        self._port = port
        self._spender_index = spender_index
        self._clock = clock or SystemClock()
        self._secret = f"hermes:{secrets.token_urlsafe(18)}"
        self._turn = anyio.Lock()
        self._moved = anyio.Event()
        self._open: Node | None = None
        self._methods: Mapping[str, rpc.Method] = {}

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        """Start the node and its RPC; both end with the block, and nothing stays on disk."""
        make = partial(TemporaryDirectory[str], prefix="hermes-regtest-")
        home = await anyio.to_thread.run_sync(make)
        try:
            node = await anyio.to_thread.run_sync(Node, Path(home.name), self._clock)
            self._open = node
            self._methods = {
                **ChainCalls(node).methods(),
                **CoinCalls(node, spender_index=self._spender_index).methods(),
                **PoolCalls(node).methods(),
            }
            async with serve(self._answer, self._port) as self._port:
                yield self
        finally:
            self._open = None
            self._methods = {}
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(home.cleanup)

    @property
    def http_url(self) -> str:
        """Where the RPC listens, with user and password, for other people's tools."""
        return f"http://{self._secret}@127.0.0.1:{self._port}/"

    @property
    def url(self) -> str:
        """The same as a setting of ours (`chain.backend`)."""
        return f"core+{self.http_url}"

    @property
    def tip(self) -> Tip:
        """The best block."""
        return Tip(self._node.index.height, shown(self._node.index.chain[-1]))

    @property
    def rates(self) -> Rates:
        """The mempool's fee rates, and what fee estimation says: a test may change them."""
        return self._node.rates

    async def mine(
        self, n: int = 1, script: bytes | None = None, *, empty: bool = False
    ) -> tuple[str, ...]:
        """Mine blocks with what waits (`empty`: without) and pay a script; returns their hashes."""
        found = await self._do(self._node.mine, n, script or wallet.SCRIPT, empty=empty)
        return tuple(map(shown, found))

    async def fund(self, script: bytes, sat: int, *, confirm: bool = True) -> Outpoint:
        """Pay satoshi to a script and mine it; mines first where the purse is empty."""
        while (raw := await self._paid(script, sat)) is None:
            enough = self.tip.height > wallet.MATURITY
            await self.mine(1 if enough else wallet.MATURITY + 1)
        txid = await self.send(raw)
        if confirm:
            await self.mine()
        return Outpoint(txid, 0)

    async def _paid(self, script: bytes, sat: int) -> bytes | None:
        """A payment from the purse; None while more blocks would fill it."""
        try:
            return await self._do(wallet.pay, self._node, script, sat)
        except wallet.NotEnough:
            if self.tip.height > _HEIGHT_MOST:
                raise  # so much was never mined
            return None

    async def send(self, raw: bytes) -> Txid:
        """Put a transaction into the mempool; raises `policy.Rejected` with Core's words."""
        return Txid(shown(await self._do(self._node.pool.accept, raw)))

    async def reorg(
        self, depth: int, *, length: int = 0, transactions: Sequence[bytes] = ()
    ) -> tuple[str, ...]:
        """Replace the last blocks by a longer branch; what they held waits in the mempool again.

        Args:
            depth: how many blocks go.
            length: how many come instead; 0: one more than went.
            transactions: raw ones for the first new block, parents first.
        """
        many = length or depth + 1
        found = await self._do(
            self._node.reorganise, depth, many, wallet.SCRIPT, tuple(transactions)
        )
        return tuple(map(shown, found))

    async def invalidate(self, block: str) -> None:
        """Never again follow a block or its descendants; the chain gets shorter by them."""
        await self._do(self._node.invalidate, bytes.fromhex(block)[::-1])

    async def mempool(self) -> tuple[Txid, ...]:
        """What waits, in the order it came."""
        return tuple(Txid(shown(txid)) for txid in tuple(self._node.pool.entries))

    async def other_tip(self, known: Tip) -> Tip:
        """Wait until the best block is another than `known`."""
        while self.tip == known:
            await self._moved.wait()
        return self.tip

    async def history(self, script: bytes) -> tuple[tuple[Txid, int], ...]:
        """What pays to a script or spends from it, in order, with heights (waiting: 0)."""
        return await self._do(self._node.history, script)

    async def scripts(self) -> frozenset[bytes]:
        """Every output script that was ever seen, waiting ones included."""
        return await self._do(self._node.scripts)

    async def transaction(self, txid: str) -> bytes | None:
        """A transaction, waiting or mined."""
        try:
            found = await self.rpc("getrawtransaction", txid)
        except rpc.RpcError:
            return None
        return bytes.fromhex(found)

    async def coins(self, script: bytes) -> tuple[Coin, ...]:
        """What pays to a script and nobody spends, waiting ones included."""
        return await self._do(self._node.coins, script)

    async def branch(self, txid: str) -> tuple[int, tuple[bytes, ...]]:
        """Position and siblings of a mined transaction, leaf to root; raises KeyError."""
        return await self._do(self._node.branch, bytes.fromhex(txid)[::-1])

    async def rpc(self, method: str, *params: Any) -> Any:  # noqa: ANN401 - JSON
        """Call a Core method without HTTP; raises `rpc.RpcError`."""
        return await self._do(rpc.invoke, self._methods, method, list(params))

    @property
    def _node(self) -> Node:
        assert self._open is not None, "the chain is not open"
        return self._open

    async def _do(self, act: Callable[..., _T], *args: object, **options: object) -> _T:
        """Run what blocks in a thread, one at a time."""
        async with self._turn:
            before = self.tip
            try:
                return await anyio.to_thread.run_sync(partial(act, *args, **options))
            finally:
                if self._open is not None and self.tip != before:
                    self._moved.set()
                    self._moved = anyio.Event()

    async def _answer(self, asked: Asked) -> Reply:
        if not rpc.authorised(asked.headers.get("authorization", ""), self._secret):
            return Reply(status=_UNAUTHORISED, kind="text/plain")
        return await self._do(rpc.answer, asked.body, self._methods)
