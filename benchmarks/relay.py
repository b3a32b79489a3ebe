"""Events a second into the relay, on disk before the OK, beside LocalRelay on LMDB.

The publishers are a process of their own and wait for each OK. LocalRelay takes one event at a
time from a connection: one publisher shows the price of a commit, many show groups. Rounds take
turns, so that a busy machine bears on all alike. LocalRelay in memory is the limit.
"""

import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from statistics import median

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


async def publish(port: int, frames: list[bytes]) -> None:
    """Send events one after another, each after the OK of the last."""
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(_HANDSHAKE)
        data = bytearray()
        while b"\r\n\r\n" not in data:
            data += await stream.receive()
        del data[: data.index(b"\r\n\r\n") + 4]
        for frame in frames:
            await stream.send(frame)
            while not any(_is_ok(one.content()) for one in split(data, 1 << 20)):
                data += await stream.receive()


def _is_ok(text: bytes) -> bool:
    if text.startswith(b'["OK"') and b",true," not in text:
        raise RuntimeError(text.decode())
    return text.startswith(b'["OK"')


async def load(port: int, publishers: int, each: int, secret: str) -> None:
    """The publishers' process: prints the seconds that it took."""
    keys = Keys.parse(secret)
    frames = [made(keys, each) for _ in range(publishers)]
    began = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for some in frames:
            tasks.start_soon(publish, port, some)
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


async def measured(place: Path, publishers: int, each: int, rounds: int) -> dict[str, float]:
    """Events a second of each relay: the median of its rounds."""
    keys = Keys.generate()
    relays = {
        "ours": partial(ours, place / "ours", keys),
        "LMDB": partial(bare, place / "lmdb", lmdb=True),
        "memory": partial(bare, place, lmdb=False),
    }
    rates: dict[str, list[float]] = {name: [] for name in relays}
    for _ in range(rounds):
        for name, opened in relays.items():
            async with opened() as port:
                words = map(str, (port, publishers, each, keys.secret_key().to_hex()))
                done = await anyio.run_process(
                    [sys.executable, "-m", "benchmarks.relay", *words], stderr=subprocess.PIPE
                )
            rates[name].append(publishers * each / float(done.stdout))
    return {name: median(found) for name, found in rates.items()}


async def rows(quick: bool) -> list[Row]:  # noqa: FBT001 - the scripts' one signature
    """All lines."""
    with tempfile.TemporaryDirectory(prefix="hb-") as folder:
        found = [told("disk: one fsync", fsync_ms(Path(folder)), "ms")]
        for publishers, each in ((1, 60), (MANY, 12)) if quick else ((1, 200), (MANY, 40)):
            place = Path(folder) / str(publishers)
            rate = await measured(place, publishers, each, 3 if quick else 5)
            name = f"relay ingest, {publishers} publisher{'s' * (publishers > 1)}"
            found += [
                told(f"{name}: ours", rate["ours"], "events/s"),
                told(f"{name}: LocalRelay on LMDB", rate["LMDB"], "events/s"),
                told(f"{name}: LocalRelay in memory", rate["memory"], "events/s", "the limit"),
            ]
            ratio = rate["ours"] / rate["LMDB"]
            name += ": ours / LMDB"
            limited = publishers == MANY
            found.append(at_least(name, ratio, "x", 2) if limited else told(name, ratio, "x"))
    return found


def main(quick: bool) -> list[Row]:  # noqa: FBT001 - the scripts' one signature
    """Run it."""
    return anyio.run(rows, quick)


if __name__ == "__main__":
    anyio.run(load, *map(int, sys.argv[1:4]), sys.argv[4])
