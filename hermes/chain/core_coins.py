"""Coins as Bitcoin Core tells them, without an index of scripts: who holds what, who spent it."""

from collections.abc import Sequence

import msgspec

from hermes.chain.backend import Coin, Outpoint, Txid
from hermes.chain.checked import (
    Amount,
    Height,
    Index,
    answer_as,
    bytes_from,
    check_coin,
    hash_from,
    id_of,
    outputs_to,
    spends,
    transaction_from,
    transactions_of,
)
from hermes.chain.core_wire import CoreRpc, RpcFailed, cannot
from hermes.errors import ChainLied, ChainUnreachable

_UNKNOWN = -5
_SCAN_S = 300.0
_WHOLE_POOL = 2_000
_CHAIN_MOST = 50  # waiting transactions that follow each other; Core allows 25
_COIN = 100_000_000
_INDEX = "run Core with txindex=1"
_SPENDERS = "run Core with txospenderindex=1 (31 and later) or blockfilterindex=1"


class _Unspent(msgspec.Struct, frozen=True):
    txid: Txid
    vout: Index
    amount: Amount
    height: Height


class _Scan(msgspec.Struct, frozen=True):
    success: bool
    unspents: list[_Unspent] = []


class _Spending(msgspec.Struct, frozen=True):
    txid: Txid
    vout: int
    spendingtxid: Txid | None = None


class _Blocks(msgspec.Struct, frozen=True):
    relevant_blocks: list[str]


async def fetch(rpc: CoreRpc, txid: Txid) -> bytes | None:
    """A transaction, its id re-computed; None when the node knows none."""
    try:
        told = await rpc.call("getrawtransaction", txid, 0)
    except RpcFailed as error:
        unless_unknown(error)
        return None
    return transaction_from(answer_as(told, str), txid)


def unless_unknown(error: RpcFailed) -> None:
    """Do nothing when Core said that there is none; raises ChainUnreachable for anything else."""
    if error.code != _UNKNOWN:
        raise cannot(error, "where a transaction is", _INDEX) from error


class CoreCoins:
    """Asks one node about coins."""

    def __init__(self, rpc: CoreRpc, name: str) -> None:
        self._rpc = rpc
        self._name = name

    async def unspent(self, script: bytes) -> tuple[Coin, ...]:
        """What pays to a script and is spent neither in a block nor in the mempool."""
        told = await self._rpc.ask(
            "scantxoutset", "start", [f"raw({script.hex()})"], wait_s=_SCAN_S
        )
        scan = answer_as(told, _Scan)
        if not scan.success:
            raise ChainUnreachable(f"{self._name} did not finish its scan of coins", "try again")
        known: dict[Outpoint, Coin] = {}
        for one in scan.unspents:
            outpoint = Outpoint(one.txid, one.vout)
            known[outpoint] = check_coin(
                Coin(outpoint, round(one.amount * _COIN), script, one.height)
            )
        raws = await self._waiting(list(known), script)
        for raw in raws:
            known |= {coin.outpoint: coin for coin in outputs_to(raw, script, None)}
        gone = {outpoint for raw in raws for outpoint in spends(raw)}
        return tuple(coin for outpoint, coin in known.items() if outpoint not in gone)

    async def spender(self, outpoint: Outpoint, script: bytes) -> Txid | None:
        """Which transaction spends an output, mined or not."""
        asked = [{"txid": outpoint.txid, "vout": outpoint.index}]
        try:
            told = await self._rpc.call("gettxspendingprevout", asked, {"mempool_only": False})
        except RpcFailed:  # before 31 it knew the mempool only, and no options
            told = await self._rpc.ask("gettxspendingprevout", asked)
        found = answer_as(told, list[_Spending])
        if len(found) != 1:
            raise ChainLied(f"{self._name} answers another question")
        if (txid := found[0].spendingtxid) is None:
            return await self._spender_mined(outpoint, script)
        raw = await fetch(self._rpc, txid)
        if raw is None or outpoint not in spends(raw):
            raise ChainLied(f"{self._name} names a spender that does not spend the coin")
        return txid

    async def _waiting(self, outpoints: Sequence[Outpoint], script: bytes) -> list[bytes]:
        """Waiting transactions: all, or in a large mempool those that follow these coins."""
        waiting = answer_as(await self._rpc.ask("getrawmempool"), list[Txid])
        if len(waiting) <= _WHOLE_POOL:
            return await self._raws(waiting)
        found: list[bytes] = []
        for _ in range(_CHAIN_MOST):
            if not outpoints:
                break
            asked = [{"txid": one.txid, "vout": one.index} for one in outpoints]
            told = await self._rpc.ask("gettxspendingprevout", asked)
            spenders = {one.spendingtxid for one in answer_as(told, list[_Spending])}
            raws = await self._raws([one for one in spenders if one])
            found += raws
            outpoints = [coin.outpoint for raw in raws for coin in outputs_to(raw, script, None)]
        return found

    async def _raws(self, txids: Sequence[Txid]) -> list[bytes]:
        """Transactions by their ids; one that left the mempool meanwhile is left out."""
        told = await self._rpc.batch("getrawtransaction", [(txid, 0) for txid in txids])
        return [
            transaction_from(answer_as(one, str), txid)
            for txid, one in zip(txids, told, strict=True)
            if not isinstance(one, RpcFailed)
        ]

    async def _spender_mined(self, outpoint: Outpoint, script: bytes) -> Txid | None:
        """Look in the blocks that touch the script (compact filters), when the coin is spent."""
        unspent = await self._rpc.ask("gettxout", outpoint.txid, outpoint.index)
        if unspent is not None or await fetch(self._rpc, outpoint.txid) is None:
            return None
        what = [f"raw({script.hex()})"]
        try:
            told = await self._rpc.call("scanblocks", "start", what, wait_s=_SCAN_S)
        except RpcFailed as error:
            raise cannot(error, "who spent a coin", _SPENDERS) from error
        for block in answer_as(told, _Blocks).relevant_blocks:
            text = await self._rpc.ask("getblock", hash_from(block), 0)
            for raw in transactions_of(bytes_from(answer_as(text, str))):
                if outpoint in spends(raw):
                    return id_of(raw)
        return None
