"""Core's calls about coins: unspent ones by output or script, and who spends which."""

from collections.abc import Mapping
from typing import Any

from hermes.testing.regtest.node import Node
from hermes.testing.regtest.parsed import read_block, shown
from hermes.testing.regtest.rpc import Method, RpcError
from hermes.testing.regtest.rpc_chain import COIN, UNKNOWN, digest_of

_NO_INDEX = -1


class CoinCalls:
    """The coins' part of the RPC; `spender_index` False: as Core before 31, with block filters."""

    def __init__(self, node: Node, *, spender_index: bool) -> None:
        self._node = node
        self._index = node.index
        self._spender_index = spender_index

    def methods(self) -> Mapping[str, Method]:
        """Name to function."""
        return {
            "gettxout": self.gettxout,
            "scantxoutset": self.scantxoutset,
            "scanblocks": self.scanblocks,
            "gettxspendingprevout": self.gettxspendingprevout,
            "getindexinfo": self.getindexinfo,
        }

    def gettxout(self, txid: str, n: int, include_mempool: bool = True) -> Any:  # noqa: ANN401, FBT001, FBT002 - Core's signature
        """An unspent output, or null; one that waits in the mempool has no confirmations."""
        outpoint = (digest_of(txid), n)
        pool = self._node.pool
        if include_mempool and outpoint in pool.spenders:
            return None
        held = self._index.coins.get(outpoint)
        output, confirmations = None, 0
        if held is not None:
            output, confirmations = held.output, self._index.height - held.height + 1
        elif include_mempool and (waiting := pool.entries.get(outpoint[0])):
            output = next(iter(waiting.tx.outputs[n : n + 1]), None)
        if output is None:
            return None
        return {
            "bestblock": shown(self._index.chain[-1]),
            "confirmations": confirmations,
            "value": output.value / COIN,
            "scriptPubKey": {"hex": output.script.hex()},
            "coinbase": held is not None and held.coinbase,
        }

    def scantxoutset(self, action: str, scanobjects: list[str] | None = None) -> Any:  # noqa: ANN401 - JSON
        """The unspent outputs that pay to scripts given as raw(HEX)."""
        if action != "start":
            return None if action == "status" else False
        found = []
        for text in scanobjects or ():
            script = _raw_script(text)
            found += [
                {
                    "txid": shown(txid),
                    "vout": number,
                    "scriptPubKey": script.hex(),
                    "desc": text,
                    "amount": held.output.value / COIN,
                    "coinbase": held.coinbase,
                    "height": held.height,
                }
                for (txid, number), held in self._index.paying(script)
            ]
        return {
            "success": True,
            "txouts": len(self._index.coins),
            "height": self._index.height,
            "bestblock": shown(self._index.chain[-1]),
            "unspents": found,
            "total_amount": sum(one["amount"] for one in found),
        }

    def gettxspendingprevout(
        self, outputs: list[dict[str, Any]], options: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Who spends outputs, waiting or mined."""
        if options is not None and not self._spender_index:
            raise RpcError(_NO_INDEX, "gettxspendingprevout: too many parameters")
        pool_only = not self._spender_index or (options or {}).get("mempool_only", False)
        told = []
        for one in outputs:
            outpoint = (bytes.fromhex(one["txid"])[::-1], int(one["vout"]))
            spender = self._node.pool.spenders.get(outpoint)
            if spender is None and not pool_only:
                spender = self._node.index.spenders.get(outpoint)
            found = {"txid": one["txid"], "vout": one["vout"]}
            told.append(found | ({"spendingtxid": shown(spender)} if spender else {}))
        return told

    def scanblocks(
        self, action: str, scanobjects: list[str] | None = None, start_height: int = 0
    ) -> dict[str, Any]:
        """The blocks that touch scripts given as raw(HEX), by filters: too many, never too few."""
        if self._spender_index or action != "start":
            raise RpcError(_NO_INDEX, "Index is not enabled for filtertype basic")
        scripts = {_raw_script(text) for text in scanobjects or ()}
        found = []
        for digest in self._index.chain[start_height:]:
            for tx in read_block(self._index.blocks[digest]):
                spent = (self._index.mined.get(one.outpoint[0]) for one in tx.inputs)
                touched = {one.script for one in tx.outputs}
                touched |= {output.script for one in spent if one for output in one.tx.outputs}
                if touched & scripts:
                    found.append(shown(digest))
                    break
        top = self._index.height
        return {"from_height": start_height, "to_height": top, "relevant_blocks": found}

    def getindexinfo(self, index_name: str = "") -> dict[str, Any]:
        """Which indexes there are: all that e-x wants."""
        told = {"synced": True, "best_block_height": self._node.index.height}
        second = "txospenderindex" if self._spender_index else "basic block filter index"
        names = ("txindex", second)
        return {name: told for name in names if index_name in ("", name)}


def _raw_script(descriptor: str) -> bytes:
    inner = descriptor.split("#", maxsplit=1)[0]
    if not inner.startswith("raw(") or not inner.endswith(")"):
        raise RpcError(UNKNOWN, f"'{inner}' is not a descriptor that this node knows")
    return bytes.fromhex(inner[4:-1])
