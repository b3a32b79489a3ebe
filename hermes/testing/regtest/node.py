"""Kernel, index and mempool together: a node that mines, reorganises and takes transactions.

Everything here blocks for up to milliseconds and is not safe for two threads at once: `Regtest`
calls it from a worker thread, one call at a time.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path

from hermes.chain.backend import Coin, Outpoint, Txid
from hermes.core.clock import Clock
from hermes.testing.regtest.index import ChainIndex, previous_of
from hermes.testing.regtest.kernel import BlockInvalid, Kernel
from hermes.testing.regtest.mempool import Mempool
from hermes.testing.regtest.mining import Frame, build
from hermes.testing.regtest.parsed import Tx, hash_of, merkle_levels, read_block, read_tx, shown
from hermes.testing.regtest.policy import Rates


class Node:
    """One regtest node; `home` is a directory that it may fill."""

    def __init__(self, home: Path, clock: Clock) -> None:
        self._home = home
        self._clock = clock
        self._salt = itertools.count()
        self._banned: set[bytes] = set()
        self._kernel = Kernel(home / "0")
        self.rates = Rates()
        self.index = ChainIndex(self._kernel.genesis)
        self.pool = Mempool(self.index, self.rates, clock)

    def mine(self, count: int, script: bytes, *, empty: bool = False) -> list[bytes]:
        """Mine blocks with what waits in the mempool; returns their hashes."""
        found: list[bytes] = []
        for _ in range(count):
            txs, fees = ([], 0) if empty else self.pool.template()
            tip = self.index.chain[-1]
            found.append(self.submit(self._build(tip, self.index.height, script, txs, fees)))
        return found

    def submit(self, block: bytes) -> bytes:
        """Take a block from anywhere; returns its hash. Raises BlockInvalid."""
        digest = hash_of(block)
        if digest in self._banned or previous_of(block) in self._banned:
            raise BlockInvalid("duplicate-invalid")
        self._kernel.submit(block)
        self.index.blocks.setdefault(digest, block)
        self._follow()
        return digest

    def reorganise(
        self, depth: int, length: int, script: bytes, raws: Sequence[bytes] = ()
    ) -> list[bytes]:
        """Mine `length` blocks beside the last `depth` ones; the first holds `raws`, in order."""
        height = self.index.height - depth
        if depth < 0 or height < 0 or length < 1:
            raise ValueError(f"no {depth} blocks to replace by {length}")
        previous = self.index.chain[height]
        txs = [read_tx(raw) for raw in raws]
        found: list[bytes] = []
        for number in range(length):
            # The side branch's coins are unknown here, so its miner takes no fees.
            block = self._build(previous, height + number, script, txs if not number else [], 0)
            previous = self.submit(block)
            found.append(previous)
        return found

    def invalidate(self, digest: bytes) -> None:
        """Never again follow a block or what is built on it; the next best branch wins."""
        if digest not in self.index.blocks or digest == self.index.chain[0]:
            raise KeyError(digest)
        self._banned.add(digest)
        for other, block in self.index.blocks.items():  # parents come before children
            if previous_of(block) in self._banned:
                self._banned.add(other)
        self._restart()

    def reconsider(self, digest: bytes) -> None:
        """Take an invalidated block, its ancestors and its descendants back."""
        again = {digest}
        for other, block in self.index.blocks.items():
            if previous_of(block) in again:
                again.add(other)
        while (one := self.index.blocks.get(digest)) is not None:
            again.add(digest)
            digest = previous_of(one)
        self._banned -= again
        self._restart()

    def coins(self, script: bytes) -> tuple[Coin, ...]:
        """What pays to a script and is spent neither in a block nor in the mempool."""
        found = [
            Coin(_outpoint(*outpoint), held.output.value, script, held.height)
            for outpoint, held in self.index.paying(script)
            if outpoint not in self.pool.spenders
        ]
        found += [
            Coin(_outpoint(one.tx.txid, number), output.value, script, None)
            for one in self.pool.entries.values()
            for number, output in enumerate(one.tx.outputs)
            if output.script == script and (one.tx.txid, number) not in self.pool.spenders
        ]
        return tuple(found)

    def history(self, script: bytes) -> tuple[tuple[Txid, int], ...]:
        """What pays to a script or spends from it, in order, with heights (waiting: 0)."""
        seen = [(one.tx, one.height) for one in self.index.mined.values()]
        seen += [(one.tx, 0) for one in self.pool.entries.values()]
        known = {tx.txid: tx for tx, _ in seen}

        def touches(tx: Tx) -> bool:
            pays = {one.script for one in tx.outputs}
            for txid, number in (one.outpoint for one in tx.inputs):
                if txid in known:
                    pays.add(known[txid].outputs[number].script)
            return script in pays

        return tuple((Txid(shown(tx.txid)), height) for tx, height in seen if touches(tx))

    def scripts(self) -> frozenset[bytes]:
        """Every output script of the chain and of the mempool."""
        waiting = (one.tx for one in self.pool.entries.values())
        txs = (*(one.tx for one in self.index.mined.values()), *waiting)
        return frozenset(output.script for tx in txs for output in tx.outputs)

    def branch(self, txid: bytes) -> tuple[int, tuple[bytes, ...]]:
        """Position and siblings of a mined transaction, leaf to root; raises KeyError."""
        mined = self.index.mined[txid]
        levels = merkle_levels([one.txid for one in read_block(self.index.blocks[mined.block])])
        path = [(mined.position >> depth) ^ 1 for depth in range(len(levels) - 1)]
        return mined.position, tuple(
            level[min(sibling, len(level) - 1)]
            for level, sibling in zip(levels, path, strict=False)
        )

    def _restart(self) -> None:
        """The kernel cannot be told to forget a block: a new one gets all the others."""
        blocks = [raw for digest, raw in self.index.blocks.items() if digest not in self._banned]
        self._kernel = Kernel(self._home / f"{next(self._salt)}-again", blocks[1:])
        self._follow()

    def _build(
        self, previous: bytes, height: int, script: bytes, txs: Sequence[Tx], fees: int
    ) -> bytes:
        salt = next(self._salt).to_bytes(4, "little")
        now = self._clock.now_ms() // 1000
        least = self.index.median_time(previous) + 1
        frame = Frame(previous, height + 1, max(now, least), script, salt)
        return build(frame, txs, fees)

    def _follow(self) -> None:
        """Bring index and mempool to the kernel's best branch."""
        fork, new = self._kernel.active(self.index.chain)
        returned: list[Tx] = []
        undone = len(self.index.chain) > fork
        while len(self.index.chain) > fork:
            returned[:0] = self.index.disconnect()
        for digest in new:
            txs = self.index.connect(digest)
            self.pool.mined(txs)
        if undone:
            self.pool.rebuild(returned)


def _outpoint(txid: bytes, number: int) -> Outpoint:
    return Outpoint(Txid(shown(txid)), number)
