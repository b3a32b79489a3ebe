"""Core's calls about the mempool and the node, and the few of a wallet that people need."""

from collections.abc import Mapping, Sequence
from typing import Any

from hermes.chain.addresses import address_of, script_of
from hermes.testing.regtest import wallet
from hermes.testing.regtest.mempool import Waiting
from hermes.testing.regtest.node import Node
from hermes.testing.regtest.parsed import shown
from hermes.testing.regtest.policy import Rejected
from hermes.testing.regtest.rpc import Method, RpcError
from hermes.testing.regtest.rpc_chain import COIN

_KB = 1000
_VERSION = 310_000  # e-x asks for at least this Core
_UNKNOWN = -5
_NO_FUNDS = -6
_TOO_DEAR = -25
_DEAREST = 10_000  # sat/vB: Core's 0.10 BTC/kvB
_KNOWN = "txn-already-in-mempool"


class PoolCalls:
    """The mempool's half of the RPC."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def methods(self) -> Mapping[str, Method]:
        """Name to function."""
        return {
            "sendrawtransaction": self.sendrawtransaction,
            "testmempoolaccept": self.testmempoolaccept,
            "getrawmempool": self.getrawmempool,
            "getmempoolentry": self.getmempoolentry,
            "getmempoolinfo": self.getmempoolinfo,
            "getnetworkinfo": self.getnetworkinfo,
            "estimatesmartfee": self.estimatesmartfee,
            "generatetoaddress": self.generatetoaddress,
            "sendtoaddress": self.sendtoaddress,
            "getnewaddress": lambda: address_of(wallet.SCRIPT, "regtest"),
            "getbalance": lambda: wallet.mature(self._node) / COIN,
        }

    def sendrawtransaction(self, hexstring: str, maxfeerate: float = 0.10) -> str:
        """Put a transaction into the mempool."""
        raw = _hex(hexstring)
        try:
            waiting, _ = self._node.pool.check(raw)
            if maxfeerate and waiting.fee > waiting.tx.vsize * maxfeerate * COIN / _KB:
                raise RpcError(_TOO_DEAR, "Fee exceeds maximum configured by user (maxfeerate)")
            return shown(self._node.pool.accept(raw))
        except Rejected as error:
            if error.reason == _KNOWN:  # Core sends it to its peers once more, and says its id
                return shown(next(one.tx.txid for one in self._waiting() if one.tx.raw == raw))
            raise RpcError(error.code, error.reason) from error

    def testmempoolaccept(
        self, rawtxs: list[str], maxfeerate: float = 0.10
    ) -> list[dict[str, Any]]:
        """What the mempool would say."""
        del maxfeerate
        return [self._tested(_hex(one)) for one in rawtxs]

    def getrawmempool(self, verbose: bool = False, mempool_sequence: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002 - Core's signature
        """The ids of what waits."""
        del mempool_sequence
        told = {shown(one.tx.txid): self._told(one) for one in self._waiting()}
        return told if verbose else list(told)

    def getmempoolentry(self, txid: str) -> dict[str, Any]:
        """One that waits."""
        found = [one for one in self._waiting() if shown(one.tx.txid) == txid]
        if not found:
            raise RpcError(_UNKNOWN, "Transaction not in mempool")
        return self._told(found[0])

    def getmempoolinfo(self) -> dict[str, Any]:
        """Size and rates."""
        rates = self._node.rates
        return {
            "loaded": True,
            "size": len(self._node.pool.entries),
            "bytes": sum(one.tx.vsize for one in self._waiting()),
            "mempoolminfee": _per_kb(rates.relay),
            "minrelaytxfee": _per_kb(rates.relay),
            "incrementalrelayfee": _per_kb(rates.increment),
            "fullrbf": True,
        }

    def getnetworkinfo(self) -> dict[str, Any]:
        """Who answers."""
        return {
            "version": _VERSION,
            "subversion": "/hermes-regtest/",
            "protocolversion": 70016,
            "connections": 0,
            "networkactive": False,
            "relayfee": _per_kb(self._node.rates.relay),
            "incrementalfee": _per_kb(self._node.rates.increment),
            "warnings": [],
        }

    def estimatesmartfee(
        self, conf_target: int, estimate_mode: str = "economical"
    ) -> dict[str, Any]:
        """What a test says it should be."""
        del estimate_mode
        return {"feerate": _per_kb(self._node.rates.estimate), "blocks": conf_target}

    def generatetoaddress(self, nblocks: int, address: str, maxtries: int = 0) -> list[str]:
        """Mine blocks with what waits."""
        del maxtries
        return [shown(one) for one in self._node.mine(nblocks, _script(address))]

    def sendtoaddress(self, address: str, amount: float, comment: str = "") -> str:
        """Pay from the miner's purse; `amount` in bitcoin."""
        del comment
        try:
            raw = wallet.pay(self._node, _script(address), round(float(amount) * COIN))
        except wallet.NotEnough as error:
            raise RpcError(_NO_FUNDS, f"Insufficient funds: {error}") from error
        return self.sendrawtransaction(raw.hex())

    def _waiting(self) -> Sequence[Waiting]:
        return tuple(self._node.pool.entries.values())

    def _tested(self, raw: bytes) -> dict[str, Any]:
        try:
            waiting, _ = self._node.pool.check(raw)
        except Rejected as error:
            return {"allowed": False, "reject-reason": error.reason}
        if waiting.fee > waiting.tx.vsize * _DEAREST:
            return {"allowed": False, "reject-reason": "max-fee-exceeded"}
        told = self._told(waiting)
        return {"txid": shown(waiting.tx.txid), "allowed": True} | told

    def _told(self, waiting: Waiting) -> dict[str, Any]:
        return {
            "vsize": waiting.tx.vsize,
            "weight": waiting.tx.weight,
            "time": waiting.since,
            "fees": {"base": waiting.fee / COIN},
            "bip125-replaceable": True,
        }


def _per_kb(rate: float) -> float:
    return round(rate * _KB) / COIN


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        said = "TX decode failed. Make sure the tx has at least one input."
        raise RpcError(-22, said) from error


def _script(address: str) -> bytes:
    try:
        return script_of(address, "regtest")
    except ValueError as error:
        raise RpcError(_UNKNOWN, f"Error: Invalid address: {error}") from error
