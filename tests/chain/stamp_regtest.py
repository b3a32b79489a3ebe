"""Anchors batches on a regtest chain with a coin that anyone can spend."""

import hashlib
from contextlib import asynccontextmanager

from bitcoin.core import (
    CBlock,
    CMutableTransaction,
    CMutableTxIn,
    CMutableTxOut,
    COutPoint,
    CTxInWitness,
    CTxWitness,
)
from bitcoin.core.script import OP_RETURN, OP_TRUE, CScript, CScriptWitness

from hermes.chain.backend import Place
from hermes.chain.batch import Mined
from hermes.core.anchor import AnchorKind, Payload
from hermes.testing.regtest.chain import Regtest

ANYONE = bytes(CScript([OP_TRUE]))
SCRIPT = b"\x00\x20" + hashlib.sha256(ANYONE).digest()
SETTLED, FINAL = 6, 144


class RegtestBatcher:
    """`hermes.chain.batch.Batcher`; a reorg that drops a transaction gets it sent again."""

    def __init__(self, chain):
        self.chain = chain
        self.sent = {}
        self.asked = []

    async def anchor(self, root):
        self.asked.append(root)
        if root not in self.sent:
            coin = await self.chain.fund(SCRIPT, 10_000)
            self.sent[root] = spend(coin, Payload(AnchorKind.BATCH, root).encode())
            await self.chain.send(self.sent[root])

    async def settled(self, root):
        if root not in self.sent:
            return None
        txid = hashlib.sha256(hashlib.sha256(stripped(self.sent[root])).digest()).digest()
        for height in range(self.chain.tip.height, 0, -1):
            name = await self.chain.rpc("getblockhash", height)
            block = CBlock.deserialize(bytes.fromhex(await self.chain.rpc("getblock", name, 0)))
            ids = [tx.GetTxid() for tx in block.vtx]
            if txid in ids:
                depth = self.chain.tip.height - height + 1
                place = Place(height, ids.index(txid), branch_of(ids, ids.index(txid)))
                header = block.get_header().serialize()
                mined = Mined(self.sent[root], place, header, final=depth >= FINAL)
                return mined if depth >= SETTLED else None
        return None


def spend(coin, payload):
    point = COutPoint(bytes.fromhex(coin.txid)[::-1], coin.index)
    outputs = [
        CMutableTxOut(0, CScript([OP_RETURN, payload])),
        CMutableTxOut(9_000, CScript(SCRIPT)),
    ]
    tx = CMutableTransaction([CMutableTxIn(point)], outputs, nVersion=2)
    tx.wit = CTxWitness([CTxInWitness(CScriptWitness([ANYONE]))])
    return tx.serialize()


def stripped(raw):
    return CMutableTransaction.deserialize(raw).serialize(params={"include_witness": False})


def branch_of(ids, index):
    branch = []
    while len(ids) > 1:
        ids = [*ids, ids[-1]] if len(ids) % 2 else ids
        branch.append(ids[index ^ 1])
        pairs = zip(ids[::2], ids[1::2], strict=True)
        ids = [hashlib.sha256(hashlib.sha256(a + b).digest()).digest() for a, b in pairs]
        index //= 2
    return tuple(branch)


async def header_file(chain):
    """The chain's headers as `hermes anchor headers` writes them."""
    raw = b""
    for height in range(chain.tip.height + 1):
        name = await chain.rpc("getblockhash", height)
        raw += bytes.fromhex(await chain.rpc("getblockheader", name, 0))
    return b"HRMH\x01\x03" + bytes(4) + raw


@asynccontextmanager
async def regtest():
    async with Regtest() as chain:
        yield chain, RegtestBatcher(chain)
