"""Runs every peer that is found, turn about, and lays Hermes beside them.

Limits bind Hermes alone. Wall time on a shared machine is noisy: CPU time, bytes and counts
are the firm numbers.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import Row, at_most, note, told
from benchmarks.measure import Sample, home, median, run
from benchmarks.peers import warm
from benchmarks.peers.service import Asked, Service, gaps_ms, serve
from benchmarks.peers.table import OURS, PEERS, Peer

PING = "ping"
ROUNDS = "SCN_TOOLS=20 go"
PARALLEL = "SCN_PAR=8 SCN_SLEEP=1 go"


class Turn(NamedTuple):
    """One turn of one peer and the requests that it made."""

    sample: Sample
    asked: list[Asked]


def turn(peer: Peer, prompt: str, service: Service) -> Turn:
    """Ask a peer for one turn in a fresh home."""
    with home() as env:
        extra = peer.prepare(Path(env["HOME"]), service.url)
        command = peer.command(service.url, prompt)
        try:
            sample = run(command, env | dict(extra), limit_s=120, output=True)
        except OSError as error:  # found, but not a program of this machine
            sample = Sample(0, 0, 0, 126, time.time(), str(error))
    return Turn(sample, service.asked(sample.began))


Turns = dict[tuple[str, str], list[Turn]]


def collect(found: Sequence[Peer], service: Service, repeats: int) -> Turns:
    """Let the peers take turns; the parallel case once each, it lasts a second by itself."""
    turns: Turns = {}
    for lap in range(repeats):
        for prompt in (PING, ROUNDS, *((PARALLEL,) if lap == 0 else ())):
            for peer in found:
                turns.setdefault((peer.name, prompt), []).append(turn(peer, prompt, service))
    return turns


def _row(peer: Peer, what: str, value: float, unit: str, limit: float | None) -> Row:
    name = f"{what}: {peer.name}"
    return at_most(name, value, unit, limit) if peer is OURS and limit else told(name, value, unit)


def _rows(peers: Sequence[Peer], turns: Turns) -> list[Row]:
    rows = []
    for what, unit, limit in (("wall", "s", 0.40), ("cpu", "s", 0.25), ("rss", "MB", 60.0)):
        for peer in peers:
            values = [getattr(t.sample, what) for t in turns[peer.name, PING]]
            rows.append(_row(peer, f"one-shot turn, {what}", median(values), unit, limit))
    for peer in peers:
        first = next((a for a in turns[peer.name, ROUNDS][0].asked if a.tools), None)
        if first:
            row = _row(peer, "first request", first.size, "B", 6000)
            parts = f"system {first.system}, {first.tools} tools {first.tools_size}"
            rows.append(row._replace(limit="; ".join(filter(None, (row.limit, parts)))))
    for peer in peers:
        gaps = [gap for t in turns[peer.name, ROUNDS] for gap in gaps_ms(t.asked)]
        rows.append(_row(peer, "a tool round", median(gaps), "ms", 20.0))
    for peer in peers:
        gaps = [gap / 1000 for t in turns[peer.name, PARALLEL] for gap in gaps_ms(t.asked)]
        rows.append(_row(peer, "8 x sleep 1 in one message", median(gaps), "s", 1.6))
    return rows


def _failed(peer: Peer, turns: Turns) -> Row | None:
    for (name, prompt), some in turns.items():
        for one in some:
            if name == peer.name and (one.sample.code or not one.asked):
                last = one.sample.output.strip().splitlines()[-1:] or [""]
                text = f"exit {one.sample.code} at {prompt!r}: {last[0][:80]}"
                return Row(name, float("nan"), "", text, False if peer is OURS else None)
    return None


def main(quick: bool) -> list[Row]:  # noqa: FBT001 - the scripts' one signature
    """Compare."""
    found = [peer for peer in PEERS if peer.path()]
    missing = [peer.name for peer in PEERS if peer not in found]
    with serve() as service:
        turns = collect(found, service, 2 if quick else 5)
        rows = []
        if OURS in found:
            rows = warm.rows(service, 5 if quick else 30)
    failed = {peer.name: row for peer in found if (row := _failed(peer, turns))}
    rows = _rows([peer for peer in found if peer.name not in failed], turns) + rows
    rows += failed.values()
    if missing:
        how = "make bench-peers brings two, the others are searched on PATH"
        rows.append(note("peers not found", f"{', '.join(missing)}: {how}"))
    return rows
