"""A fleet in one process: owners, post offices and links over one relay, and replication.

Who is alive is what its user says: `meet` and `part` stand for gossip.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple, cast

import anyio
import anyio.to_thread

from hermes.config import Settings
from hermes.core.clock import SystemClock
from hermes.identity.hot import HotKey
from hermes.mesh.members import Member, Report, Standing
from hermes.mesh.nostr_adapter import Wire
from hermes.mesh.nostr_keys import NostrKeys
from hermes.mesh.nostr_link import NostrLink
from hermes.mesh.post import Post
from hermes.node.department import Ground
from hermes.node.owner import Owner, open_owner
from hermes.node.replication import Replication
from hermes.store.lock import OwnerLock

_CLOCK = SystemClock()
_SOON_S = 20.0


class Town:
    """Who belongs here, and who is there (`node.roster`, `node.presence`)."""

    def __init__(self, me: str, keys: Sequence[HotKey]) -> None:
        self.others = tuple(key.public for key in keys if key.public != me)
        self.alive: set[str] = set()

    def admits(self, node: str) -> bool:
        """Whether a key is a member's."""
        return node in self.others

    def member(self, node: str) -> Member | None:
        """How a node stands."""
        return Member(1, Standing.ALIVE, 0) if node in self.alive else None


class Resident(NamedTuple):
    """One node of it."""

    key: HotKey
    owner: Owner
    post: Post
    link: NostrLink
    replication: Replication
    town: Town


@asynccontextmanager
async def resident(
    settings: Settings, environ: Mapping[str, str], relay: str, key: HotKey, keys: Sequence[HotKey]
) -> AsyncGenerator[Resident]:
    """One node with this key among those with the others; nobody is met yet."""
    town, lock = Town(key.public, keys), OwnerLock(settings.data_dir)
    if not await anyio.to_thread.run_sync(lock.try_acquire):
        raise RuntimeError(f"{settings.data_dir} is in use")
    async with AsyncExitStack() as stack:
        stack.callback(lock.release)
        owner = await stack.enter_async_context(
            open_owner(settings, environ, _CLOCK, lasting=False)
        )
        wire = await stack.enter_async_context(Wire(NostrKeys(key.secret), _CLOCK))
        await wire.connect((relay,))
        book = owner.rooms.store.mesh
        link = NostrLink(wire, book, _CLOCK, known=town.admits)
        post = Post(key, book, (link,), _CLOCK, lambda who, _: town.admits(who))
        await stack.enter_async_context(post)
        rest = cast("Any", town)  # what replication asks of them
        ground = Ground(
            settings, owner, _CLOCK, key, wire, post, rest, rest, cast("Any", None),
            cast("Any", None),
        )  # fmt: skip
        replication = Replication(ground)
        tasks = await stack.enter_async_context(anyio.create_task_group())
        tasks.start_soon(replication.run)
        with anyio.fail_after(_SOON_S):
            await link.caught_up.wait()
        yield Resident(key, owner, post, link, replication, town)
        tasks.cancel_scope.cancel()


def meet(*residents: Resident) -> None:
    """They hear of each other."""
    for one in residents:
        for other in residents:
            if other is not one:
                one.town.alive.add(other.key.public)
                one.replication.learnt(Report(other.key.public, 1, Standing.ALIVE))


def part(*residents: Resident) -> None:
    """They hold each other for dead."""
    for one in residents:
        one.town.alive -= {other.key.public for other in residents}
