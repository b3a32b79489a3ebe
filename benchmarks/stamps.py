"""5,000 digests under one root, and the proof of each: as the node's calendar makes them."""

import hashlib
import os
import statistics
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
from bitcoin.core import CMutableTransaction, CMutableTxIn, CMutableTxOut
from bitcoin.core.script import OP_RETURN, CScript

from benchmarks import Row, at_most, told
from hermes.chain.backend import Place
from hermes.chain.batch import Mined
from hermes.chain.calendar import Calendar
from hermes.chain.stamps import blinded, check_proof, read_proof, stamped
from hermes.core.anchor import AnchorKind, Payload
from hermes.core.clock import SystemClock
from hermes.store.store import Store

ROOTS = 5_000
QUICK = 500
LIMIT_S = 1.0
AT = 1_700_000_000


class OneBlock:
    """A block that holds the batch's transaction and nothing else."""

    def __init__(self) -> None:
        self.header = b""

    async def anchor(self, root: bytes) -> None:
        """It is mined at once."""

    async def settled(self, root: bytes) -> Mined:
        """A transaction that commits to the root, alone in its block."""
        payload = Payload(AnchorKind.BATCH, root).encode()
        outputs = [CMutableTxOut(0, CScript([OP_RETURN, payload]))]
        raw = CMutableTransaction([CMutableTxIn()], outputs).serialize()
        txid = hashlib.sha256(hashlib.sha256(raw).digest()).digest()
        self.header = bytes(36) + txid + AT.to_bytes(4, "little") + bytes(8)
        return Mined(raw, Place(1, 0, ()), self.header, final=True)


async def measure(count: int, path: Path) -> list[Row]:
    """Fill a calendar, anchor it, fetch and check every proof."""
    async with Store.open(path, SystemClock()) as store:
        block = OneBlock()
        calendar = Calendar(store.stamps, "http://127.0.0.1:14788", block)
        digests = [os.urandom(32) for _ in range(count)]
        proofs = {}

        async def add(part: list[bytes]) -> None:
            for digest in part:
                answer = await calendar.add(blinded(digest, bytes(16)))
                proofs[digest] = stamped(digest, bytes(16), answer)

        began = time.perf_counter()
        async with anyio.create_task_group() as tasks:
            for first in range(50):
                tasks.start_soon(add, digests[first::50])
        added = time.perf_counter() - began

        began = time.perf_counter()
        await calendar.close_batch()
        await calendar.refresh()
        batched = time.perf_counter() - began

        began = time.perf_counter()
        ways = {}
        for digest in digests:
            commitment = proofs[digest].promised()[0].commitment
            ways[digest] = commitment, (await calendar.find(commitment)).way
        fetched = time.perf_counter() - began

        sizes, spent = [], []
        for digest in digests[:500]:
            raw = proofs[digest].upgraded(*ways[digest]).encode()
            began = time.perf_counter()
            check_proof(read_proof(raw), digest, lambda _: block.header)
            spent.append(time.perf_counter() - began)
            sizes.append(len(raw))
    return [
        at_most(f"{count:,} roots in one anchor", batched, "s", LIMIT_S),
        told("a promise, 50 at a time, on disk", added / count * 1e6, "µs"),
        told("a proof handed out", fetched / count * 1e6, "µs"),
        told("a proof", statistics.fmean(sizes), "bytes"),
        told("a proof checked", statistics.median(spent) * 1e6, "µs"),
    ]


def main(quick: bool) -> list[Row]:  # noqa: FBT001 - how the table calls every script
    """All rows."""
    with TemporaryDirectory(prefix="hb-") as folder:
        path = Path(folder) / "hermes.db"
        return anyio.run(partial(measure, QUICK if quick else ROOTS, path))
