"""Core's calls about blocks and transactions of the chain."""

import struct
from collections.abc import Mapping
from typing import Any

from hermes.testing.regtest.index import previous_of, time_of
from hermes.testing.regtest.kernel import BlockInvalid
from hermes.testing.regtest.merkle_block import partial_tree
from hermes.testing.regtest.node import Node
from hermes.testing.regtest.parsed import (
    Tx,
    hash_of,
    header_of,
    read_block,
    shown,
)
from hermes.testing.regtest.rpc import Method, RpcError

COIN = 100_000_000
_BAD_PARAMETER = -8
UNKNOWN = -5
_NO_TX = "No such mempool or blockchain transaction. Use gettransaction for wallet transactions."


class ChainCalls:
    """The chain's half of the RPC."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._index = node.index

    def methods(self) -> Mapping[str, Method]:
        """Name to function."""
        return {
            "getblockchaininfo": self.getblockchaininfo,
            "getblockcount": lambda: self._index.height,
            "getbestblockhash": lambda: shown(self._index.chain[-1]),
            "getblockhash": self.getblockhash,
            "getblockheader": self.getblockheader,
            "getblock": self.getblock,
            "getrawtransaction": self.getrawtransaction,
            "gettxoutproof": self.gettxoutproof,
            "submitblock": self.submitblock,
            "invalidateblock": self.invalidateblock,
            "reconsiderblock": self.reconsiderblock,
        }

    def getblockchaininfo(self) -> dict[str, Any]:
        """Where the chain stands."""
        return {
            "chain": "regtest",
            "blocks": self._index.height,
            "headers": self._index.height,
            "bestblockhash": shown(self._index.chain[-1]),
            "difficulty": 4.656542373906925e-10,
            "mediantime": self._index.median_time(self._index.chain[-1]),
            "verificationprogress": 1,
            "initialblockdownload": False,
            "pruned": False,
            "warnings": [],
        }

    def getblockhash(self, height: int) -> str:
        """The hash at a height of the best branch."""
        if not 0 <= height <= self._index.height:
            raise RpcError(_BAD_PARAMETER, "Block height out of range")
        return shown(self._index.chain[height])

    def getblockheader(self, blockhash: str, verbose: bool = True) -> Any:  # noqa: ANN401, FBT001, FBT002 - Core's signature
        """A header, as bytes or told."""
        block = self._block(blockhash)
        return self._told(block) if verbose else header_of(block).hex()

    def getblock(self, blockhash: str, verbosity: int = 1) -> Any:  # noqa: ANN401 - JSON
        """A block: as bytes (0), with ids (1), with transactions (2)."""
        block = self._block(blockhash)
        if not verbosity:
            return block.hex()
        txs = read_block(block)
        ids = [shown(one.txid) for one in txs]
        told = self._told(block)
        return {**told, "tx": ids if int(verbosity) == 1 else [self.told_tx(one) for one in txs]}

    def getrawtransaction(
        self,
        txid: str,
        verbosity: int = 0,
        blockhash: str | None = None,
    ) -> Any:  # noqa: ANN401 - JSON
        """A transaction, waiting or mined."""
        digest = digest_of(txid)
        waiting = self._node.pool.entries.get(digest)
        mined = self._index.mined.get(digest)
        tx = waiting.tx if waiting else mined.tx if mined else None
        if blockhash is not None:
            tx = next(
                (one for one in read_block(self._block(blockhash)) if one.txid == digest), None
            )
        if tx is None:
            raise RpcError(UNKNOWN, _NO_TX)
        return self.told_tx(tx) if verbosity else tx.raw.hex()

    def gettxoutproof(self, txids: list[str], blockhash: str | None = None) -> str:
        """A block's header and the part of its tree that leads to one transaction (BIP 37)."""
        wanted = {digest_of(one) for one in txids}
        if blockhash is None:
            mined = self._index.mined.get(next(iter(wanted)))
            if mined is None:
                raise RpcError(UNKNOWN, "Transaction not yet in block")
            block = self._index.blocks[mined.block]
        else:
            block = self._block(blockhash)
        leaves = [one.txid for one in read_block(block)]
        if not wanted <= set(leaves):
            raise RpcError(UNKNOWN, "Not all transactions found in specified or retrieved block")
        return (header_of(block) + partial_tree(leaves, wanted)).hex()

    def submitblock(self, hexdata: str, _dummy: str = "") -> str | None:
        """Take a block from outside; null when it is good."""
        try:
            self._node.submit(bytes.fromhex(hexdata))
        except BlockInvalid as error:
            return str(error)
        return None

    def invalidateblock(self, blockhash: str) -> None:
        """Never follow a block again."""
        self._block(blockhash)
        self._node.invalidate(digest_of(blockhash))

    def reconsiderblock(self, blockhash: str) -> None:
        """Take an invalidated block back."""
        self._block(blockhash)
        self._node.reconsider(digest_of(blockhash))

    def told_tx(self, tx: Tx) -> dict[str, Any]:
        """A transaction as Core tells it."""
        told: dict[str, Any] = {
            "txid": shown(tx.txid),
            "version": tx.version,
            "size": len(tx.raw),
            "vsize": tx.vsize,
            "weight": tx.weight,
            "locktime": tx.locktime,
            "vin": [
                {"txid": shown(one.outpoint[0]), "vout": one.outpoint[1], "sequence": one.sequence}
                for one in tx.inputs
            ],
            "vout": [
                {"value": one.value / COIN, "n": n, "scriptPubKey": {"hex": one.script.hex()}}
                for n, one in enumerate(tx.outputs)
            ],
            "hex": tx.raw.hex(),
        }
        if (mined := self._index.mined.get(tx.txid)) is not None:
            told["blockhash"] = shown(mined.block)
            told["confirmations"] = self._index.height - mined.height + 1
            told["blocktime"] = time_of(self._index.blocks[mined.block])
        return told

    def _block(self, blockhash: str) -> bytes:
        block = self._index.blocks.get(digest_of(blockhash))
        if block is None:
            raise RpcError(UNKNOWN, "Block not found")
        return block

    def _told(self, block: bytes) -> dict[str, Any]:
        digest = hash_of(block)
        version, previous, root, time, bits, nonce = struct.unpack("<i32s32sIII", block[:80])
        height = self._index.heights.get(digest, -1)
        told = {
            "hash": shown(digest),
            "confirmations": self._index.height - height + 1 if height >= 0 else -1,
            "height": self._height(digest),
            "version": version,
            "merkleroot": shown(root),
            "time": time,
            "mediantime": self._index.median_time(digest),
            "nonce": nonce,
            "bits": f"{bits:08x}",
            "nTx": len(read_block(block)),
        }
        if height != 0:
            told["previousblockhash"] = shown(previous)
        if 0 <= height < self._index.height:
            told["nextblockhash"] = shown(self._index.chain[height + 1])
        return told

    def _height(self, digest: bytes) -> int:
        """A block's height, on whatever branch."""
        above = 0
        while digest not in self._index.heights:
            digest = previous_of(self._index.blocks[digest])
            above += 1
        return self._index.heights[digest] + above


def digest_of(text: str) -> bytes:
    """A hash from people's order; raises RpcError."""
    if len(text) != 64 or not set(text) <= set("0123456789abcdefABCDEF"):  # noqa: PLR2004 - 32 bytes
        raise RpcError(_BAD_PARAMETER, "hash must be of length 64 and hexadecimal")
    return bytes.fromhex(text)[::-1]
