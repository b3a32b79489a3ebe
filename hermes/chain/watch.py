"""Looks at the chain through a server that may lie, lag or die: what is seen of an anchor.

Believed is only what holds by itself: a transaction by its id, a block by the branch to it and
by the work of the headers on it, a stranger's spend by its signature. Not seen through: a server
that hides things, and one that gives away real work on a shorter chain (compare two servers).
"""

from collections.abc import Collection, Mapping, Sequence

from hermes.chain.anchors import FINAL, Mined, Seen
from hermes.chain.backend import ChainBackend, Network, Outpoint, Tip, Txid
from hermes.chain.checked import check_headers
from hermes.chain.spend import check_signed
from hermes.chain.spv import check_mined
from hermes.chain.transaction import Output, Transaction, transaction_of
from hermes.chain.work import bits_of, sha256d, shown, work_of
from hermes.errors import ChainLied, ProofInvalid
from hermes.store.anchors import Anchor

COIN_OUTPUT = 1
_LEAST_WORK: Mapping[Network, int] = {"main": 1 << 74}
"""A tenth of what a block took in 2023: what its own header claims is the server's word."""


class Watch:
    """One look around through one server."""

    def __init__(self, backend: ChainBackend, network: Network) -> None:
        self._backend = backend
        self._network = network
        self._start = 0
        self._headers: tuple[bytes, ...] = ()

    async def prepare(self, anchors: Sequence[Anchor], tip: Tip) -> None:
        """Fetch the headers that all these anchors need with one question, where they lie near."""
        heights = [one.height for one in anchors if one.txid]
        if heights and max(heights) - min(heights) <= FINAL:
            self._start = min(heights)
            self._headers = await self._chain(self._start, tip, 2 * FINAL)

    async def look(self, anchor: Anchor, lineage: str, tip: Tip) -> Seen:
        """What is seen of an anchor but for a thief; raises ChainError.

        Args:
            anchor: the anchor as it is known.
            lineage: the outpoint that it has to spend, empty for the first.
            tip: the best block.
        """
        if anchor.txid and (still := await self._still(anchor, tip)):
            return Seen(mined=still, lineage=lineage)
        waiting = ""
        for attempt in reversed(anchor.attempts):
            transaction = transaction_of(attempt.raw)
            script = transaction.outputs[COIN_OUTPUT].script
            height = await self._backend.height_of(transaction.txid, script)
            if height:
                found = await self._mined(transaction, height, tip)
                return Seen(mined=found, lineage=lineage)
            if height == 0 and not waiting:
                waiting = attempt.txid
        return Seen(waiting=waiting, lineage=lineage)

    async def _still(self, known: Anchor, tip: Tip) -> Mined | None:
        """The place that is known, if the same block is still there."""
        headers = await self._from(known.height, tip)
        if not headers or headers[0] != known.header:
            return None
        return Mined(
            txid=known.txid,
            height=known.height,
            block=known.block,
            header=known.header,
            position=known.position,
            branch=branch_of(known),
            depth=len(headers),
        )

    async def thief(self, coin: Outpoint, held: Output, ours: Collection[str]) -> str:
        """A stranger's transaction that spends the coin, its signature checked; else empty.

        Args:
            coin: what is spent.
            held: what it holds, by the transaction that made it.
            ours: the ids of our own transactions that spend it.
        """
        txid = await self._backend.spender(coin, held.script)
        if txid is None or txid in ours:
            return ""
        raw = await self._backend.transaction(txid)
        if raw is None:
            raise ChainLied(f"{self._backend.name} names a spender that it does not know")
        try:
            found = transaction_of(raw)
        except ValueError as error:
            raise ChainLied(f"{self._backend.name}: {error}") from error
        points = [one.outpoint for one in found.inputs]
        if found.txid != txid or coin not in points:
            raise ChainLied(f"{self._backend.name} names a spender that does not spend the coin")
        try:
            check_signed(raw, points.index(coin), held)
        except ProofInvalid as error:
            raise ChainLied(
                f"{self._backend.name} shows a forged spend of the coin: {error.message}"
            ) from error
        return txid

    async def _mined(self, transaction: Transaction, height: int, tip: Tip) -> Mined:
        """The place of a transaction, and how many headers with work lie on it."""
        headers = await self._from(height, tip)
        if not headers:
            raise ChainLied(f"{self._backend.name} names a block above its own tip")
        place = await self._backend.place(Txid(transaction.txid), height)
        try:
            check_mined(transaction.stripped, place.position, place.branch, headers[0])
        except ProofInvalid as error:
            raise ChainLied(f"{self._backend.name}: {error.message}") from error
        return Mined(
            txid=transaction.txid,
            height=height,
            block=shown(sha256d(headers[0])),
            header=headers[0],
            position=place.position,
            branch=place.branch,
            depth=len(headers),
        )

    async def _from(self, height: int, tip: Tip) -> tuple[bytes, ...]:
        """The headers from a height on, each on the one before and with its work."""
        known = height - self._start
        # A block that came since they were fetched is none of them.
        if 0 <= known < len(self._headers):
            return self._headers[known : known + FINAL]
        return await self._chain(height, tip, FINAL)

    async def _chain(self, height: int, tip: Tip, most: int) -> tuple[bytes, ...]:
        count = min(most, max(1, tip.height - height + 1))
        headers = await self._backend.headers(height, count)
        check_headers(headers, self._network)
        least = _LEAST_WORK.get(self._network, 0)
        if any(work_of(bits_of(header)) < least for header in headers):
            raise ChainLied(f"{self._backend.name} shows blocks that took next to no work")
        return headers


def branch_of(anchor: Anchor) -> tuple[bytes, ...]:
    """The sibling hashes of a mined anchor."""
    return tuple(anchor.branch[at : at + 32] for at in range(0, len(anchor.branch), 32))
