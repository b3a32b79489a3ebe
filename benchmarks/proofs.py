"""Proof bundles of a log of a million leaves: their size, and the time that checking one takes.

The anchor lies in a block of 4,096 transactions, as on the main network. Without the genesis
record and the entry's own block, which are as long as they are.
"""

import time
from collections.abc import Callable

import msgspec

from benchmarks import Row, at_most, told
from benchmarks.measure import median
from hermes.chain.headers import headers_of
from hermes.chain.offline import verify_bundle
from hermes.core.canonical import cid_of
from hermes.testing.proofs import Maker, log_of, mined_chain

LEAVES = 1_000_000
QUICK = 50_000
EARLIER = 0.93
DEPTH = 12
LINKS = 50
HEADERS = 4_000
BYTES = 2_500
LINK_MS = 0.3


def seconds(act: Callable[[], object], times: int) -> float:
    """The middle of several runs."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        act()
        taken.append(time.perf_counter() - start)
    return median(taken)


def main(quick: bool) -> list[Row]:  # noqa: FBT001 - the scripts' one signature
    """Make bundles and check them."""
    count, times = (QUICK, 20) if quick else (LEAVES, 100)
    leaves = [cid_of(number.to_bytes(8, "big")) for number in range(count)]
    log, maker, index = log_of(leaves), Maker(), count // 3
    grown = int(count * EARLIER)
    short = maker.bundle(log, leaves[index], index, earlier=grown, depth=DEPTH)
    long = maker.bundle(log, leaves[index], index, earlier=grown, depth=DEPTH, batches=LINKS)
    data, linked = short.bundle.encode(), long.bundle.encode()
    bare = len(data) - len(short.bundle.genesis)
    tree = msgspec.structs.replace(short.bundle, branch=())
    one = seconds(lambda: verify_bundle(data, short.headers), times)
    many = seconds(lambda: verify_bundle(linked, long.headers), times)
    file = mined_chain(HEADERS).file()
    checked = seconds(lambda: headers_of(file), 3)
    return [
        at_most(f"proof of 1 of {count:,} leaves, without genesis", bare, "B", BYTES),
        told("  of it the block's branch", len(data) - len(tree.encode()), "B"),
        told("  its genesis record besides", len(short.bundle.genesis), "B"),
        told("proof checked, signatures and all", one * 1e3, "ms"),
        at_most("  one more link of lineage", (many - one) / LINKS * 1e3, "ms", LINK_MS),
        told("  and its size", (len(linked) - len(data)) / LINKS, "B"),
        told("a header checked", checked / HEADERS * 1e6, "us"),
    ]
