"""Events a second into the relay, on disk before the OK, beside LocalRelay on LMDB.

The publishers are a process of their own. LocalRelay takes one event at a time from a connection;
our door takes those that wait together, as a peer sends them that has fallen behind: that has the
limit, one at a time and many publishers stand beside it. Rounds take turns, so that a busy machine
bears on all alike. LocalRelay in memory is what there is to reach.
"""

import resource
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import anyio
from nostr_sdk import (
    EventBuilder,
    Keys,
    Kind,
    LocalRelayBuilder,
    NostrLmdb,
    RateLimit,
)

from benchmarks import Row, at_least, told
from benchmarks.measure import fsync_ms
from hermes.mesh.nostr_loop import loop_lent
from relay.frames import TEXT, split
from relay.rules import Rules
from relay.server import Place, open_relay

_CONTENT = 300
_HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
MANY = 32


class Load(NamedTuple):
    """How many publishers, events of each, and how many of them wait for their OK at once."""

    publishers: int
    each: int
    ahead: int

    @property
    def name(self) -> str:
        """What it is called in the table."""
        return f"{self.publishers} x {self.ahead} in flight"


def said(event: str) -> bytes:
    """An event as a client's frame; its mask is zero."""
    text = b'["EVENT",' + event.encode() + b"]"
    return bytes((0x80 | TEXT, 0x80 | 126)) + len(text).to_bytes(2, "big") + bytes(4) + text


def made(keys: Keys, count: int) -> list[bytes]:
    """Events of some 640 bytes."""
    return [
        said(EventBuilder(Kind(1), secrets.token_hex(_CONTENT // 2)).finalize(keys).as_json())
        for _ in range(count)
    ]


async def publish(port: int, frames: list[bytes], ahead: int) -> None:
    """Send events with at most so many of them waiting for their OK."""
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(_HANDSHAKE)
        data = bytearray()
        while b"\r\n\r\n" not in data:
            data += await stream.receive()
        del data[: data.index(b"\r\n\r\n") + 4]
        sent = done = 0
        while done < len(frames):
            if more := frames[sent : done + ahead]:
                await stream.send(b"".join(more))
                sent += len(more)
            data += await stream.receive()
            done += sum(_is_ok(one.content()) for one in split(data, 1 << 20))


def _is_ok(text: bytes) -> bool:
    if text.startswith(b'["OK"') and b",true," not in text:
        raise RuntimeError(text.decode())
    return text.startswith(b'["OK"')


async def load(port: int, publishers: int, each: int, ahead: int, secret: str) -> None:
    """The publishers' process: prints the seconds that it took."""
    keys = Keys.parse(secret)
    frames = [made(keys, each) for _ in range(publishers)]
    began = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for some in frames:
            tasks.start_soon(publish, port, some, ahead)
    sys.stdout.write(f"{time.perf_counter() - began}\n")


@asynccontextmanager
async def bare(place: Path, *, lmdb: bool) -> AsyncIterator[int]:
    """LocalRelay alone; without LMDB it keeps everything in memory."""
    async with loop_lent():
        limit = RateLimit(max_reqs=1_000, notes_per_minute=100_000_000)
        builder = LocalRelayBuilder().addr("127.0.0.1").rate_limit(limit)
        if lmdb:
            builder = builder.database(await NostrLmdb.open(str(place)))
        relay = builder.build()
        await relay.run()
        yield int(str(await relay.url()).strip("/").rsplit(":", 1)[1])
        relay.shutdown()


@asynccontextmanager
async def ours(place: Path, keys: Keys) -> AsyncIterator[int]:
    """The whole relay: front door, policy, SQLite."""
    rules = Rules(owners=frozenset({keys.public_key().to_hex()}))
    async with open_relay(Place(place), rules) as relay:
        yield int(relay.url.rsplit(":", 1)[1])


class Found(NamedTuple):
    """Events a second, and milliseconds of the relay's processor for one."""

    rate: float
    cpu: float


async def once(port: int, load_: Load, keys: Keys) -> Found:
    """One round."""
    words = map(str, (port, *load_, keys.secret_key().to_hex()))
    before = resource.getrusage(resource.RUSAGE_SELF)
    done = await anyio.run_process([sys.executable, "-m", "benchmarks.relay", *words])
    after = resource.getrusage(resource.RUSAGE_SELF)
    count = load_.publishers * load_.each
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Found(count / float(done.stdout), spent / count * 1000)


async def measured(place: Path, load_: Load, rounds: int) -> dict[str, Found]:
    """The median of each relay's rounds."""
    keys = Keys.generate()
    relays = {
        "ours": partial(ours, place / "ours", keys),
        "LocalRelay on LMDB": partial(bare, place / "lmdb", lmdb=True),
        "LocalRelay in memory": partial(bare, place, lmdb=False),
    }
    found: dict[str, list[Found]] = {name: [] for name in relays}
    for _ in range(rounds):
        for name, opened in relays.items():
            async with opened() as port:
                found[name].append(await once(port, load_, keys))
    return {
        name: Found(*(median(one[part] for one in each) for part in (0, 1)))
        for name, each in found.items()
    }


async def rows(quick: bool) -> list[Row]:  # noqa: FBT001 - the scripts' one signature
    """All lines."""
    with tempfile.TemporaryDirectory(prefix="hb-") as folder:
        lines = [told("disk: one fsync", fsync_ms(Path(folder)), "ms")]
        for load_ in (Load(1, 200, 1), Load(1, 640, MANY), Load(MANY, 40, 1)):
            fewer = load_._replace(each=max(load_.each // 4, 8)) if quick else load_
            found = await measured(Path(folder) / load_.name, fewer, 3 if quick else 5)
            for relay, one in found.items():
                lines.append(told(f"relay, {load_.name}: {relay}", one.rate, "events/s"))
                lines.append(told("  processor", one.cpu, "ms/event"))
            ratio = found["ours"].rate / found["LocalRelay on LMDB"].rate
            name = f"relay, {load_.name}: ours / LMDB"
            group = load_.ahead == MANY
            lines.append(at_least(name, ratio, "x", 2) if group else told(name, ratio, "x"))
    return lines


def main(quick: bool) -> list[Row]:  # noqa: FBT001 - the scripts' one signature
    """Run it."""
    return anyio.run(rows, quick)


if __name__ == "__main__":
    anyio.run(load, *map(int, sys.argv[1:5]), sys.argv[5])
