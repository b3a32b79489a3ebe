"""Opens what a worker needs to meet the others over the mesh, and closes it in order.

Loaded late: it brings nostr-sdk. The worker has a key of its own, not the node's, since this
process also runs what it learns from.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from hermes.chain.listening import Door
from hermes.core.clock import Clock, SystemClock
from hermes.errors import NotAvailable
from hermes.identity.hot import HotKey
from hermes.mesh.blob_client import BlobClient
from hermes.mesh.blob_http import open_endpoint
from hermes.mesh.blobs import Blobs
from hermes.mesh.nostr_adapter import Wire
from hermes.mesh.nostr_keys import NostrKeys
from hermes.mesh.nostr_link import NostrLink
from hermes.store.blob_chunks import Chunks, Quota
from training.sync.mail import LinkMail
from training.sync.mesh import Mesh, Place
from training.sync.roster import Roster, check_place

__all__ = ["check_place", "meeting"]

_REMEDY = "give the roster a free address of this machine"
_TRIES = 2


@asynccontextmanager
async def meeting(
    roster: Roster,
    me: str,
    key: HotKey,
    home: Path,
    limit: int,
    report: Callable[[str, BaseException], None],
    **times: float,
) -> AsyncGenerator[Mesh]:
    """A transport between the roster's workers, while the context lasts.

    Args:
        roster: who takes part.
        me: this worker's name in it.
        key: this worker's.
        home: a directory for what must survive this process, and for blobs.
        limit: the most bytes of one contribution or state.
        report: hears of errors that end nothing.
        times: `beat_s`, `silence_s`, `patience_s` of `Mesh`.

    Raises:
        Usage: the roster knows this worker otherwise.
        NotAvailable: no relay answers, or the endpoint's address is taken.
    """
    check_place(roster, me, key)
    clock = SystemClock()
    known = frozenset(peer.key for peer in roster.workers.values())
    own = roster.workers[me]
    chunks = await Chunks.open(home / "blobs", Quota(others=0))  # others fetch, they leave nothing
    async with AsyncExitStack() as stack:
        door = Door.bound(own.door, "the worker's endpoint", _REMEDY)
        endpoint = open_endpoint(
            chunks, door, known.__contains__, clock, report, names=[urlsplit(own.blobs).netloc]
        )
        await stack.enter_async_context(endpoint)
        sources = await _sources(roster, me, key, clock, stack)
        wire = await stack.enter_async_context(Wire(NostrKeys(key.secret), clock))
        await _connect(wire, roster)
        link = NostrLink(wire, _NoMarks(), clock, known=known.__contains__)
        keys = {name: peer.key for name, peer in roster.workers.items()}
        mail = LinkMail(key, keys, [link], clock, roster.run)
        await stack.enter_async_context(mail)
        place = Place(me, mail, Blobs(chunks), sources, home, limit)
        yield await stack.enter_async_context(Mesh(place, **times))


async def _sources(
    roster: Roster, me: str, key: HotKey, clock: Clock, stack: AsyncExitStack
) -> dict[str, BlobClient]:
    return {
        name: await stack.enter_async_context(BlobClient.open(peer.blobs, key, clock, tries=_TRIES))
        for name, peer in roster.workers.items()
        if name != me
    }


async def _connect(wire: Wire, roster: Roster) -> None:
    found = await wire.connect(roster.relays)
    if all(found.values()):
        said = "; ".join(f"{url}: {why}" for url, why in found.items())
        raise NotAvailable(f"no relay of the roster answers: {said}", "start one: hermes relay")


class _NoMarks:
    """Nothing durable is sent in a run, so there is nothing to remember of it."""

    async def mark(self, wraps: Mapping[str, int]) -> None:
        """Not kept."""

    async def marked(self, since: int) -> list[tuple[str, int]]:
        """None, whatever `since` is."""
        del since
        return []
