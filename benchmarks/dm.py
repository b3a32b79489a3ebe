"""A direct message and its answer: through the gateway, and through bare nostr-sdk, turn about.

One relay on loopback for both, one person's client, in one process. Bare is a loop that unwraps
and answers: nothing is kept, nobody is asked. The gateway keeps message, turn and answer on disk
before they count, so the disk of this machine is told beside.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from nostr_sdk import (
    Client,
    ClientBuilder,
    Filter,
    Keys,
    Kind,
    PublicKey,
    RelayUrl,
    ReqTarget,
    UnwrappedGift,
    nip17_make_private_msg,
)

from benchmarks import Row, at_most, told
from benchmarks.measure import fsync_ms, median
from hermes.config import Settings
from hermes.core.clock import SystemClock
from hermes.mesh.nostr_adapter import Wire
from hermes.mesh.nostr_keys import NostrKeys
from hermes.node.attach import open_client
from hermes.node.dms import Dms
from hermes.testing.relays import local_relay

SECRET = b"\7" * 32
WORDS = "What does the README say about the installation, in two or three sentences?"
ANSWER = "It says that one command installs everything, and that a second one opens the chat. " * 3
LIMIT_S = 20


class Side:
    """A key on a relay: one client speaks, the other listens, as nostr-sdk is quick with."""

    def __init__(self, keys: Keys, mouth: Client, ear: Client) -> None:
        self.keys = keys
        self._mouth = mouth
        self._notes = ear.notifications()

    async def say(self, to: PublicKey, text: str) -> None:
        await self._mouth.send_event(nip17_make_private_msg(self.keys, to, text))

    async def hear(self) -> UnwrappedGift:
        while True:
            note = await self._notes.next()
            if note.is_new_event():
                return UnwrappedGift.from_gift_wrap(self.keys, note.event)


@asynccontextmanager
async def side(relay: str, keys: Keys) -> AsyncGenerator[Side]:
    """A bare client of nostr-sdk."""
    url = RelayUrl.parse(relay)
    mouth, ear = (ClientBuilder().build() for _ in range(2))
    try:
        for client in (mouth, ear):
            await client.add_relay(url)
            await client.connect()
        made = Side(keys, mouth, ear)
        await ear.subscribe(ReqTarget.auto([Filter().kind(Kind(1059)).pubkey(keys.public_key())]))
        yield made
    finally:
        with anyio.CancelScope(shield=True):
            await mouth.shutdown()
            await ear.shutdown()


async def answer_bare(one: Side) -> None:
    """Answer whatever comes, without an agent."""
    while True:
        gift = await one.hear()
        await one.say(gift.sender(), ANSWER)


@asynccontextmanager
async def gateway(base: Path, relay: str, answers: int) -> AsyncGenerator[str]:
    """A node with a scripted model; gives an open code."""
    script = base / "script.jsonl"
    script.write_text(f"{json.dumps({'text': ANSWER})}\n" * answers)
    project = base / "project"
    project.mkdir()
    settings = Settings(
        data_dir=base / "data", config_dir=base / "config", runtime_dir=base / "run",
        model=f"scripted:{script}", search_servers=False,
    )  # fmt: skip
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(base)}
    async with (
        open_client(settings, interactive=True, environ=environ) as door,
        Wire(NostrKeys(SECRET), SystemClock()) as wire,
        anyio.create_task_group() as tasks,
    ):
        await wire.connect([relay])
        dms = Dms(door, wire, SystemClock(), _complain)
        tasks.start_soon(dms.run)
        offer = await door.query("pairings.offer", root=str(project), cwd=str(project))
        yield offer["code"]
        tasks.cancel_scope.cancel()


def _complain(where: str, error: BaseException) -> None:
    print(f"{where}: {error!r}", file=sys.stderr)


async def trip(person: Side, to: PublicKey, text: str) -> float:
    """One message and its answer, in ms."""
    start = time.perf_counter()
    with anyio.fail_after(LIMIT_S):
        await person.say(to, text)
        gift = await person.hear()
    taken = (time.perf_counter() - start) * 1_000
    assert gift.sender().to_hex() == to.to_hex()
    return taken


async def _measured(base: Path, laps: int) -> tuple[list[float], list[float]]:
    us, bare = [], []
    agent = Keys.parse(SECRET.hex()).public_key()
    async with (
        local_relay() as relay,
        gateway(base, relay, laps + 10) as code,
        side(relay, Keys.generate()) as person,
        side(relay, Keys.generate()) as echo,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(answer_bare, echo)
        await trip(person, agent, code)
        for lap in range(laps + 5):
            ours = await trip(person, agent, f"{lap}: {WORDS}")
            theirs = await trip(person, echo.keys.public_key(), f"{lap}: {WORDS}")
            if lap >= 5:  # the first ones fill caches
                us.append(ours)
                bare.append(theirs)
        tasks.cancel_scope.cancel()
    return us, bare


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def main(quick: bool) -> list[Row]:  # noqa: FBT001 - every script's
    """Round trips, side by side."""
    with tempfile.TemporaryDirectory(prefix="hb-") as base:
        disk = fsync_ms(Path(base))
        us, bare = anyio.run(_measured, Path(base), 40 if quick else 300)
    above = median([ours - theirs for ours, theirs in zip(us, bare, strict=True)])
    return [
        at_most("dm: round trip above bare nostr-sdk, median", above, "ms", 15),
        told("dm: round trip through the gateway, median", median(us), "ms"),
        told("dm: the same through bare nostr-sdk, median", median(bare), "ms"),
        at_most("dm: round trip through the gateway, p99", _p99(us), "ms", 50),
        told("dm: the same through bare nostr-sdk, p99", _p99(bare), "ms"),
        told("dm: this disk's fsync", disk, "ms"),
    ]
