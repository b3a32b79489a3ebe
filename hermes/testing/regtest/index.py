"""What the active chain says: blocks by height, transactions, unspent coins, and who spent what."""

from collections.abc import Iterator

import msgspec

from hermes.testing.regtest.parsed import Output, Tx, hash_of, header_of, read_block

_MEDIAN_OF = 11
_OP_RETURN = b"\x6a"


class Held(msgspec.Struct, frozen=True):
    """An unspent output of the chain."""

    output: Output
    height: int
    coinbase: bool


class Mined(msgspec.Struct, frozen=True):
    """Where a transaction lies."""

    tx: Tx
    block: bytes
    height: int
    position: int


class _Undo(msgspec.Struct):
    txs: tuple[Tx, ...]
    spent: list[tuple[tuple[bytes, int], Held]]


class ChainIndex:
    """Follows the kernel's best branch block by block, forwards and back."""

    def __init__(self, genesis: bytes) -> None:
        start = hash_of(genesis)
        self.blocks: dict[bytes, bytes] = {start: genesis}
        """Every block ever seen, by hash, parents before children."""
        self.chain = [start]
        self.heights = {start: 0}
        self.coins: dict[tuple[bytes, int], Held] = {}
        self.mined: dict[bytes, Mined] = {}
        self.spenders: dict[tuple[bytes, int], bytes] = {}
        self._undo: list[_Undo] = []

    @property
    def height(self) -> int:
        """The best block's height."""
        return len(self.chain) - 1

    def header(self, height: int) -> bytes:
        """The header at a height of the best branch."""
        return header_of(self.blocks[self.chain[height]])

    def median_time(self, digest: bytes) -> int:
        """The median time past of a block on whatever branch, in seconds."""
        times: list[int] = []
        while len(times) < _MEDIAN_OF and (block := self.blocks.get(digest)) is not None:
            times.append(time_of(block))
            digest = previous_of(block)
        return sorted(times)[len(times) // 2]

    def connect(self, digest: bytes) -> tuple[Tx, ...]:
        """Follow the best branch by one block; returns its transactions."""
        txs = read_block(self.blocks[digest])
        height = len(self.chain)
        undo = _Undo(txs, [])
        for position, tx in enumerate(txs):
            if position:
                for one in tx.inputs:
                    undo.spent.append((one.outpoint, self.coins.pop(one.outpoint)))
                    self.spenders[one.outpoint] = tx.txid
            for number, output in enumerate(tx.outputs):
                if not output.script.startswith(_OP_RETURN):
                    self.coins[tx.txid, number] = Held(output, height, position == 0)
            self.mined[tx.txid] = Mined(tx, digest, height, position)
        self.chain.append(digest)
        self.heights[digest] = height
        self._undo.append(undo)
        return txs

    def disconnect(self) -> tuple[Tx, ...]:
        """Take the best block back; returns its transactions without the coinbase."""
        del self.heights[self.chain.pop()]
        undo = self._undo.pop()
        for tx in undo.txs:
            self.mined.pop(tx.txid, None)
        for outpoint, held in undo.spent:
            self.coins[outpoint] = held
            del self.spenders[outpoint]
        for tx in undo.txs:
            for number in range(len(tx.outputs)):
                self.coins.pop((tx.txid, number), None)
        return undo.txs[1:]

    def paying(self, script: bytes) -> Iterator[tuple[tuple[bytes, int], Held]]:
        """The unspent outputs that pay to a script."""
        for outpoint, held in self.coins.items():
            if held.output.script == script:
                yield outpoint, held


def time_of(header: bytes) -> int:
    """The time that a header claims, in seconds."""
    return int.from_bytes(header[68:72], "little")


def previous_of(header: bytes) -> bytes:
    """The hash of the block before."""
    return header[4:36]
