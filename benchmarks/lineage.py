"""The walk from genesis to now: bytes of a link and of a succession, time to check one."""

import time
from functools import partial
from statistics import median

from benchmarks import Row, at_most, told
from hermes.chain.lineage import verify_lineage
from hermes.testing.lineages import Line, Made, who

LINKS = 1_000
QUICK = 100
TURNS = 5
BYTES_MOST = 350
MS_MOST = 0.3


def anchored(links: int, *, recovery: bool) -> tuple[Made, float]:
    """A line of one instance, and the bytes of each further link."""
    line = Line(who("first", recovery=recovery))
    alone = len(line.made().lineage.encode())
    for size in range(links):
        line.checkpoint(size)
    made = line.made()
    return made, (len(made.lineage.encode()) - alone) / links


def succeeded(heirs: int) -> tuple[Made, float]:
    """A line of handoffs only, and the bytes of each: its transaction and three records."""
    line = Line(who("first", recovery=True))
    alone = len(line.made().lineage.encode())
    for number in range(heirs):
        line.handoff(who(f"heir {number}", recovery=True))
    made = line.made()
    return made, (len(made.lineage.encode()) - alone) / heirs


def check_ms(made: Made, links: int) -> float:
    """Milliseconds a link; the median of a few checks of the whole file."""
    data = made.lineage.encode()
    check = partial(verify_lineage, data, made.headers)
    check()
    taken = []
    for _ in range(TURNS):
        began = time.perf_counter()
        check()
        taken.append(time.perf_counter() - began)
    return median(taken) / links * 1000


def main(quick: bool) -> list[Row]:  # noqa: FBT001 - how the table calls every script
    """All rows."""
    links = QUICK if quick else LINKS
    plain, plain_bytes = anchored(links, recovery=False)
    dead_man, dead_bytes = anchored(links, recovery=True)
    heirs = links // 20
    line, heir_bytes = succeeded(heirs)
    return [
        at_most("lineage: an anchor's link", plain_bytes, "bytes", BYTES_MOST),
        at_most("lineage: with a dead-man path", dead_bytes, "bytes", BYTES_MOST),
        told("lineage: a handoff with its three records", heir_bytes, "bytes"),
        at_most("lineage: a link checked", check_ms(plain, links), "ms", MS_MOST),
        at_most("lineage: with a dead-man path", check_ms(dead_man, links), "ms", MS_MOST),
        told("lineage: a handoff checked", check_ms(line, heirs), "ms"),
    ]
