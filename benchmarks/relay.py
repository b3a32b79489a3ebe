"""Events a second into the relay, on disk before the OK, beside LocalRelay on LMDB.

The publishers are a process of their own. Limits: one publisher that has fallen behind and sends
many at once, and many that send one at a time; one that sends one at a time stands beside them, for
its time is the disk's. "Heard": somebody has subscribed to all of it. Rounds take turns, and each
is compared with the one beside it, so that a busy machine bears on both alike. LocalRelay in memory
is what there is to reach.
"""

import resource
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import anyio
from anyio.abc import SocketStream, TaskStatus
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
from relay.frames import TEXT, masked_frame, split
from relay.rules import Rules
from relay.server import Place, open_relay

_CONTENT = 300
_HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
MANY = 32
OURS, LMDB, MEMORY = "ours", "LocalRelay on LMDB", "LocalRelay in memory"


class Load(NamedTuple):
    """How many publishers, events of each, how many wait for their OK at once, how many listen."""

    publishers: int
    each: int
    ahead: int
    listeners: int = 0

    @property
    def name(self) -> str:
        """What it is called in the table."""
        return f"{self.publishers} x {self.ahead} in flight" + ", heard" * self.listeners


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
        data = await _opened(stream)
        sent = done = 0
        while done < len(frames):
            if more := frames[sent : done + ahead]:
                await stream.send(b"".join(more))
                sent += len(more)
            data += await stream.receive()
            done += sum(_is_ok(one.content()) for one in split(data, 1 << 20))


async def _opened(stream: SocketStream) -> bytearray:
    await stream.send(_HANDSHAKE)
    data = bytearray()
    while b"\r\n\r\n" not in data:
        data += await stream.receive()
    del data[: data.index(b"\r\n\r\n") + 4]
    return data


def _is_ok(text: bytes) -> bool:
    if text.startswith(b'["OK"') and b",true," not in text:
        raise RuntimeError(text.decode())
    return text.startswith(b'["OK"')


async def listen(port: int, count: int, *, task_status: TaskStatus[None]) -> None:
    """Subscribe to everything new and hear so many events."""
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        data = await _opened(stream)
        await stream.send(masked_frame(TEXT, b'["REQ","all",{"kinds":[1],"limit":0}]').raw)
        while b"EOSE" not in data:
            data += await stream.receive()
        task_status.started()
        del data[:]
        while count > 0:
            data += await stream.receive()
            count -= sum(one.content(9) == b'["EVENT",' for one in split(data, 1 << 20))


async def load(port: int, load_: Load, secret: str) -> None:
    """The publishers' process: prints the seconds that it took."""
    keys = Keys.parse(secret)
    frames = [made(keys, load_.each) for _ in range(load_.publishers)]
    async with anyio.create_task_group() as listeners:
        for _ in range(load_.listeners):
            await listeners.start(listen, port, load_.publishers * load_.each)
        began = time.perf_counter()
        async with anyio.create_task_group() as tasks:
            for some in frames:
                tasks.start_soon(publish, port, some, load_.ahead)
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


async def measured(place: Path, load_: Load, rounds: int) -> dict[str, list[Found]]:
    """Each relay's rounds."""
    keys = Keys.generate()
    relays = {
        OURS: partial(ours, place / "ours", keys),
        LMDB: partial(bare, place / "lmdb", lmdb=True),
        MEMORY: partial(bare, place, lmdb=False),
    }
    found: dict[str, list[Found]] = {name: [] for name in relays}
    for _ in range(rounds):
        for name, opened in relays.items():
            async with opened() as port:
                found[name].append(await once(port, load_, keys))
    return found


def told_rows(load_: Load, found: dict[str, list[Found]], *, limited: bool) -> Iterator[Row]:
    """The lines of one load."""
    for relay, rounds in found.items():
        yield told(f"relay, {load_.name}: {relay}", median(one.rate for one in rounds), "events/s")
        yield told("  processor", median(one.cpu for one in rounds), "ms/event")
    pairs = zip(found[OURS], found[LMDB], strict=True)
    ratios = sorted(one.rate / other.rate for one, other in pairs)
    name = f"relay, {load_.name}: ours / LMDB ({ratios[0]:.1f} to {ratios[-1]:.1f})"
    ratio = median(ratios)
    yield at_least(name, ratio, "x", 2) if limited else told(name, ratio, "x")


async def rows(quick: bool) -> list[Row]:  # noqa: FBT001 - the scripts' one signature
    """All lines."""
    with tempfile.TemporaryDirectory(prefix="hb-") as folder:
        lines = [told("disk: one fsync", fsync_ms(Path(folder)), "ms")]
        for load_, limited in (
            (Load(1, 200, 1), False),
            (Load(1, 640, MANY), True),
            (Load(MANY, 80, 1), True),
            (Load(MANY, 80, 1, 1), False),
        ):
            fewer = load_._replace(each=max(load_.each // 2, 8)) if quick else load_
            found = await measured(Path(folder) / load_.name, fewer, 3 if quick else 7)
            lines += told_rows(load_, found, limited=limited)
    return lines


def main(quick: bool) -> list[Row]:  # noqa: FBT001 - the scripts' one signature
    """Run it."""
    return anyio.run(rows, quick)


if __name__ == "__main__":
    anyio.run(load, int(sys.argv[1]), Load(*map(int, sys.argv[2:6])), sys.argv[6])
