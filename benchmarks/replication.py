"""A node that comes back: 1,000 conversations of 20 messages that it never saw, from one other.

Both in this process, over one loopback relay, so the time is the work of both. Beside it the
same blocks as plain bytes in letters over the same relay connection, sealed and taken alike: what
is above that is comparing, judging, storing.
"""

import random
import secrets
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import anyio

from benchmarks import Row, at_most, told
from hermes.config import Settings
from hermes.core.ids import ConversationId, NodeId, SessionId, TurnId, uuid7
from hermes.core.message import Message, Text, block_of
from hermes.identity.hot import HotKey
from hermes.mesh.envelope import Letter
from hermes.mesh.link import Delivery
from hermes.store.store import Store
from hermes.testing.fleets import Resident, meet, resident
from hermes.testing.relays import local_relay

COUNT, QUICK = 1_000, 50
MESSAGES = 20
RATIO = 5.0
"""Most that replicating may take of what copying plain bytes takes."""
_SYLLABLES = ("ba", "ket", "do", "ral", "mi", "sun", "or", "te", "vel", "ha", "lin", "gos")
_PIECE = 500_000


class _Meter:
    """What a node's link carried."""

    def __init__(self, one: Resident) -> None:
        self.sent = self.letters = 0
        self._send = one.link.send
        one.link.send = self.send  # type: ignore[method-assign] # to count beside it

    async def send(self, to: str, data: bytes, *, expires_at: int, durable: bool) -> Delivery:
        self.sent += len(data)
        self.letters += 1
        return await self._send(to, data, expires_at=expires_at, durable=durable)


class _Spent(NamedTuple):
    seconds: float
    sent: int
    letters: int


def _talk(chance: random.Random) -> list[Message]:
    conversation, session = ConversationId(uuid7()), SessionId(uuid7())
    messages: list[Message] = []
    for n in range(MESSAGES):
        pieces = [chance.choice(_SYLLABLES) + chance.choice(_SYLLABLES) for _ in range(50)]
        messages.append(
            Message(
                conversation=conversation,
                session=session,
                turn=TurnId(uuid7()),
                role="assistant" if n % 2 else "user",
                parts=(Text(" ".join(pieces)),),
                at=1_700_000_000_000 + n,
                node=NodeId("node"),
                salt=secrets.token_hex(8),
                parents=(block_of(messages[-1]).cid,) if messages else (),
            )
        )
    return messages


async def _fill(store: Store, count: int) -> int:
    """Talk; gives the bytes of its blocks."""
    size = 0
    chance = random.Random(1)
    for _ in range(count):
        messages = _talk(chance)
        await store.conversations.create(conversation=messages[0].conversation, root="/work")
        await store.conversations.append(*messages)
        size += sum(len(block_of(one).data) for one in messages)
    return size


async def _copied(giver: Resident, taker: Resident, size: int) -> float:
    """The same bytes, plainly: letters of half a megabyte that nobody opens."""
    data = secrets.token_hex(size // 2 + 1).encode()[:size]
    began = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_read, taker, size)
        for at in range(0, size, _PIECE):
            piece = data[at : at + _PIECE]
            await giver.post.send_live(Letter(taker.key.public, "job", piece, ttl_ms=60_000))
    return time.perf_counter() - began


async def _read(taker: Resident, size: int) -> None:
    got = 0
    with anyio.fail_after(120), taker.post.received("job") as arrivals:
        while got < size:
            got += len((await arrivals.receive()).envelope.data)


async def _caught_up(residents: Sequence[Resident], count: int) -> _Spent:
    giver, taker = residents
    meters = [_Meter(one) for one in residents]
    began = time.perf_counter()
    meet(*residents)
    replicas = taker.owner.rooms.store.replicas
    with anyio.fail_after(600):
        while len(await replicas.states(taker.key.public)) < count:  # noqa: ASYNC110 - on disk
            await anyio.sleep(0.05)
        spent = time.perf_counter() - began
        theirs = await giver.owner.rooms.store.replicas.states(giver.key.public)
        while await replicas.states(taker.key.public) != theirs:  # noqa: ASYNC110 - the same
            await anyio.sleep(0.05)
    return _Spent(spent, sum(one.sent for one in meters), sum(one.letters for one in meters))


async def measure(count: int) -> list[Row]:
    """Fill one store, copy as much plainly, then let the other node catch up."""
    keys = [HotKey(bytes([n]) * 32) for n in (1, 2)]
    with TemporaryDirectory(prefix="h.") as folder:
        async with local_relay() as relay:
            homes = [Path(folder, name) for name in "ab"]
            settings = [
                Settings(data_dir=h / "d", config_dir=h / "c", runtime_dir=h / "r") for h in homes
            ]
            async with (
                resident(settings[0], {}, relay, keys[0], keys) as giver,
                resident(settings[1], {}, relay, keys[1], keys) as taker,
            ):
                size = await _fill(giver.owner.rooms.store, count)
                plain = await _copied(giver, taker, size)
                spent = await _caught_up((giver, taker), count)
    messages, name = count * MESSAGES, f"{count:,} conversations of {MESSAGES} messages"
    return [
        told(f"{name}: blocks", size / messages, "bytes a message"),
        told(f"{name}: replicated, both ways", spent.sent / messages, "bytes a message"),
        told(f"{name}: letters", spent.letters, ""),
        told(f"{name}: replicated", 1000 * spent.seconds / messages, "ms a message"),
        told(f"{name}: caught up", spent.seconds, "s"),
        told(f"{name}: copied as plain bytes", plain, "s"),
        at_most("replicated / copied", spent.seconds / plain, "x", RATIO),
    ]


def main(quick: bool) -> list[Row]:  # noqa: FBT001 - how the table calls every script
    """All rows."""
    return anyio.run(partial(measure, QUICK if quick else COUNT))
