"""What a node knows of its line: its predecessors' lineage as a file, its own moves of the coin.

The file ends with the last succession that this node took part in, and is written before that
is sent: its last link counts once an anchor says that it is in a block. Whatever came after
stands among the anchors. Both are walked anew each time: a file that was changed shows.
"""

from functools import partial
from pathlib import Path

import anyio.to_thread
import msgspec

from hermes.chain.backend import ChainBackend
from hermes.chain.lineage import COIN_OUTPUT
from hermes.chain.lineage_wire import LONGEST, Lineage, Link, Placed, lineage_of
from hermes.chain.spv import check_mined
from hermes.chain.transaction import output_of, transaction_of, txid_of
from hermes.chain.watch import branch_of
from hermes.core.anchor import AnchorKind
from hermes.core.attestation import attestation_of
from hermes.errors import ChainLied, NotAvailable, ProofInvalid, StoreCorrupt
from hermes.identity.attest import Genesis
from hermes.identity.statements import MEMBER, REVOKED, SOUL
from hermes.identity.whole import write_whole
from hermes.store.acts import Acts
from hermes.store.anchors import Anchor, Anchors

_FILE = "lineage.hrml"
_STATED = (SOUL, MEMBER, REVOKED)


class Heritage:
    """One identity's lineage on one node."""

    def __init__(self, data_dir: Path, anchors: Anchors, acts: Acts, genesis: Genesis) -> None:
        self._path = data_dir / _FILE
        self._anchors = anchors
        self._acts = acts
        self._genesis = genesis

    async def lineage(self) -> Lineage:
        """Every mined move from genesis to now; its place where a row knows it."""
        mined = {one.mined.coin: one for one in await self._anchors.list() if one.mined}
        base = await self._base(frozenset(one.txid for one in mined.values()))
        links, place = list(base.links), None
        coin = _coin(links[-1].raw) if links else _first(mined)
        while found := mined.pop(coin, None):
            if found.kind == AnchorKind.HANDOFF:
                break  # the other side sent it: its records are in the answer's file
            links.append(await self._link(found, first=not links))
            coin = _coin(links[-1].raw)
        if links:
            last = txid_of(links[-1].raw)
            rows = [one for one in await self._anchors.list() if one.txid == last]
            place = next(map(_placed, rows), None)
        statements = (*base.statements, *await self._stated(frozenset(base.statements)))
        return Lineage(base.genesis, tuple(links), statements, place)

    async def save(self, lineage: Lineage) -> None:
        """Keep a lineage that ends with a succession."""
        data = lineage.encode()
        await anyio.to_thread.run_sync(partial(write_whole, self._path, data))

    async def _base(self, mined: frozenset[str]) -> Lineage:
        data = await anyio.to_thread.run_sync(_read, self._path)
        own = Lineage(self._genesis.record.block().data)
        found = lineage_of(data) if data else own
        if not found.links or txid_of(found.links[-1].raw) in mined:
            return found
        if found.links[-1].records[:1] == (own.genesis,):
            return own  # not in office yet
        return msgspec.structs.replace(found, links=found.links[:-1])

    async def _link(self, anchor: Anchor, *, first: bool) -> Link:
        assert anchor.mined is not None
        raw = anchor.mined.raw
        values = []
        for one in transaction_of(raw).inputs[0 if first else 1 :]:
            parent = await self._anchors.parent(one.outpoint.txid)
            if parent is None:
                raise StoreCorrupt(f"the transaction {one.outpoint.txid} is not in the store")
            values.append(output_of(parent, one.outpoint).value)
        return Link(raw, tuple(values))

    async def _stated(self, known: frozenset[bytes]) -> tuple[bytes, ...]:
        own = {self._genesis.attest, self._genesis.owner}
        acts = [act for kind in _STATED for act in await self._acts.list(kind)]
        found = sorted(act for act in acts if act.data not in known)
        return tuple(act.data for act in found if attestation_of(act.data).by in own)


async def place_last(backend: ChainBackend, lineage: Lineage) -> Lineage:
    """The lineage up to its last link that a server shows in a block, with that place.

    Raises NotAvailable when there is none, ChainLied when the branch does not hold.
    """
    links = lineage.links
    while links:
        last = transaction_of(links[-1].raw)
        height = await backend.height_of(last.txid, last.outputs[COIN_OUTPUT].script)
        if height:
            headers = await backend.headers(height, 1)
            found = await backend.place(last.txid, height)
            header = headers[0] if headers else b""
            try:
                check_mined(last.stripped, found.position, found.branch, header)
            except ProofInvalid as error:
                raise ChainLied(f"{backend.name}: {error.message}") from error
            place = Placed(header, found.position, found.branch)
            return msgspec.structs.replace(lineage, links=links, place=place)
        links = links[:-1]
    raise NotAvailable("nothing of this line is in a block yet", "run: hermes anchor now")


def _first(mined: dict[str, Anchor]) -> str:
    return next((coin for coin, one in mined.items() if one.kind == AnchorKind.GENESIS), "")


def _coin(raw: bytes) -> str:
    return f"{txid_of(raw)}:{COIN_OUTPUT}"


def _placed(anchor: Anchor) -> Placed:
    return Placed(anchor.header, anchor.position, branch_of(anchor))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LONGEST + 1)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ProofInvalid(f"{path} cannot be read: {error.strerror}") from error
