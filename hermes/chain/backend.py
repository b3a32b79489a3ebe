"""What a view of a Bitcoin chain has to answer, whoever gives it: Core, Electrum, Esplora.

A backend is hostile input: it may lie, lag or vanish. Whatever it says that can be checked
(headers, branches, transactions against their ids) is checked by who asks, not here.
"""

from typing import Literal, NewType, Protocol

import msgspec

Txid = NewType("Txid", str)
"""A transaction's id as people write it: hex, reversed."""
Network = Literal["regtest", "signet", "testnet4", "main"]


class Outpoint(msgspec.Struct, frozen=True, order=True):
    """An output of a transaction."""

    txid: Txid
    index: int


class Coin(msgspec.Struct, frozen=True):
    """An unspent output; value in satoshi, `height` None while unconfirmed."""

    outpoint: Outpoint
    value: int
    script: bytes
    height: int | None


class Tip(msgspec.Struct, frozen=True):
    """The best block: its height, and its hash as people write it."""

    height: int
    hash: str


class Place(msgspec.Struct, frozen=True):
    """Where a transaction lies in a block: sibling hashes from leaf to root (32 bytes each)."""

    height: int
    position: int
    branch: tuple[bytes, ...]


class ChainBackend(Protocol):
    """One server's view of the chain; async context manager. Methods raise ChainError leaves."""

    name: str

    async def genesis(self) -> str:
        """The hash of block 0, which decides the network."""
        ...

    async def tip(self) -> Tip:
        """The best block."""
        ...

    async def headers(self, start: int, count: int) -> tuple[bytes, ...]:
        """Headers (80 bytes each) from a height upwards, fewer at the tip's end."""
        ...

    async def transaction(self, txid: Txid) -> bytes | None:
        """The transaction with its witness; None when the server knows none."""
        ...

    async def height_of(self, txid: Txid, script: bytes) -> int | None:
        """The height of its block: 0 while it waits in the mempool, None when unknown.

        `script`: an output script of it, for servers that can only look there.
        """
        ...

    async def place(self, txid: Txid, height: int) -> Place:
        """The branch of a mined transaction."""
        ...

    async def coins(self, script: bytes) -> tuple[Coin, ...]:
        """The unspent outputs that pay to a script, unconfirmed ones included."""
        ...

    async def spender(self, outpoint: Outpoint, script: bytes) -> Txid | None:
        """Which transaction spends an output, mined or not; None: nobody yet."""
        ...

    async def send(self, raw: bytes) -> Txid:
        """Hand a transaction to the network; raises ChainRefused with the server's words."""
        ...

    async def fee_rate(self, blocks: int) -> float:
        """Satoshi a virtual byte to be mined within so many blocks; at least 1."""
        ...

    async def next_tip(self, known: Tip, timeout_s: float) -> Tip:
        """Wait until the best block is another than `known`, at most so many seconds."""
        ...
