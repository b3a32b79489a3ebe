"""Sneakernet as the owner serves it: what waits goes into a file, what a file brings comes in.

With a mesh that runs, letters go through its post office; without one members come and go all the
same, and other letters are noted, and handed over when one runs. Receipts go along, so that a
bundle back ends what a bundle brought.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Protocol

import anyio
import anyio.to_thread

from hermes.config import Settings
from hermes.core.clock import Clock, rfc3339
from hermes.core.event import Json
from hermes.errors import Usage
from hermes.identity.agent import Agent
from hermes.load import load
from hermes.mesh.link import Received
from hermes.node.desk import Query
from hermes.node.new_file import write_new
from hermes.store.mesh import Refusal
from hermes.store.store import Store


class Identity(Protocol):
    """Who this node is (`node.warrants`)."""

    async def agent(self) -> Agent:
        """The unlocked signer."""
        ...


class PostOffice(Protocol):
    """What takes letters in (`hermes.mesh.post.Post`)."""

    async def take(self, received: Received, /) -> bool:
        """Take one letter."""
        ...

    async def refused(self) -> tuple[Refusal, ...]:
        """The counters."""
        ...


class Comings(Protocol):
    """Who lets members in and asks to be let in (`node.fleet.Fleet`)."""

    async def invite(self, name: str, minutes: int, *, by_hand: bool) -> Json:
        """Make a code."""
        ...

    async def ask(self, code: str, /) -> tuple[str, Mapping[str, str]]:
        """Ask by a code; whom."""
        ...


class Counter(PostOffice, Protocol):
    """What is opened where no mesh runs (`node.by_hand.Counter`)."""

    @property
    def fleet(self) -> Comings:
        """Its fleet."""
        ...


class Quiet(Protocol):
    """Opens it (`node.by_hand.ByHand`)."""

    def open(self) -> AbstractAsyncContextManager[Counter]:
        """A counter under this node's key."""
        ...

    async def list(self) -> Json:
        """Everybody who is or was in."""
        ...


class Bundles:
    """Makes and takes bundles; `post` and `fleet` are the running mesh's, where there is one."""

    def __init__(
        self, store: Store, clock: Clock, identity: Identity, quiet: Callable[[], Quiet]
    ) -> None:
        self._store = store
        self._clock = clock
        self._identity = identity
        self._quiet = quiet
        self._one = anyio.Lock()  # two counters at once would both do what a bundle says
        self.post: PostOffice | None = None
        self.fleet: Comings | None = None

    def queries(self) -> Mapping[str, Query]:
        """The table of query names."""
        return {
            "bundle.export": self.export,
            "bundle.import": self.bring,
            "bundle.invite": self.invite,
            "bundle.join": self.join,
            "bundle.peers": self.peers,
        }

    async def invite(self, name: str = "", minutes: int = 24 * 60) -> Json:
        """A one-time code for a node whose question comes in a bundle."""
        async with self._office() as (_, fleet):
            return await fleet.invite(name, minutes, by_hand=True)

    async def join(self, code: str, path: str) -> Json:
        """Ask by a code to be let in, with a bundle for whoever made the code."""
        async with self._office() as (_, fleet):
            node, _ = await fleet.ask(code)
        npub = load("npub").npub_of(node)
        return {"node": node, "npub": npub, **await self.export(path, (npub,))}

    async def peers(self) -> Json:
        """Everybody who is or was in, as far as statements say; no mesh need run."""
        return await self._quiet().list()

    async def export(self, path: str, to: tuple[str, ...] = ()) -> Json:
        """Put what waits for some nodes (none named: for all) into a new file."""
        readers = {load("npub").read_npub(one) for one in to}
        bundle, key, now = load("bundle"), await self._key(), self._clock.now_ms()
        letters = []
        for row in await self._store.mesh.waiting():
            sealed = await self._store.mesh.sealed(row.id)
            if sealed is not None and (not readers or row.recipient in readers):
                letters.append(bundle.Enclosed(row.recipient, sealed, row.expires))
        receipts = await self._receipts(bundle, key, readers)
        enclosed = [*letters, *receipts]
        if not enclosed:
            raise Usage("nothing waits for them", "nothing was written")
        try:
            data: bytes = await anyio.to_thread.run_sync(bundle.pack, key, enclosed, now)
        except ValueError as error:
            raise Usage(f"{error}", "name fewer nodes: --to NPUB") from error
        await anyio.to_thread.run_sync(write_new, Path(path), data)
        return {
            "file": path,
            "letters": len(letters),
            "receipts": len(receipts),
            "to": sorted({one.to for one in enclosed}),
            "bytes": len(data),
        }

    async def bring(self, path: str) -> Json:
        """Take in what a bundle holds for this node; a second time nothing happens."""
        bundle, key = load("bundle"), await self._key()
        data = await anyio.to_thread.run_sync(_read, Path(path), bundle.MOST_BYTES)
        found = await anyio.to_thread.run_sync(bundle.unpack, data, key)
        async with self._office() as (post, _):
            before = await post.refused()
            for received in found.received:
                await post.take(received)
            after = await post.refused()
        return {
            "creator": load("npub").npub_of(found.manifest.creator),
            "made": rfc3339(found.manifest.created_at),
            "letters": len(found.received),
            "odd": found.odd,
            "refused": _more(before, after),
        }

    async def _key(self) -> object:
        agent = await self._identity.agent()
        return load("hot").HotKey(bytes.fromhex(await agent.hot_key()))

    async def _receipts(self, bundle: ModuleType, key: object, readers: set[str]) -> list[object]:
        now = self._clock.now_ms()
        by_sender: dict[str, list[str]] = {}
        for name, sender in await self._store.mesh.finished(now):
            if not readers or sender in readers:
                by_sender.setdefault(sender, []).append(name)
        post = load("post")
        return [
            bundle.enclosed(sender, envelope)
            for sender, names in by_sender.items()
            for envelope in post.receipts(key, sender, names, now)
        ]

    @asynccontextmanager
    async def _office(self) -> AsyncGenerator[tuple[PostOffice, Comings]]:
        if self.post is not None and self.fleet is not None:
            yield self.post, self.fleet
            return
        async with self._one, self._quiet().open() as counter:
            yield counter, counter.fleet


def bundles_of(settings: Settings, store: Store, clock: Clock, identity: Identity) -> Bundles:
    """Bundles with a counter of their own; a chat that opens none does not pay for it."""

    def quiet() -> Quiet:
        made: Quiet = load("by_hand").ByHand(settings, store, clock, identity)
        return made

    return Bundles(store, clock, identity, quiet)


def _more(before: tuple[Refusal, ...], after: tuple[Refusal, ...]) -> dict[str, int]:
    had = {(one.reason, one.sender): one.times for one in before}
    found: dict[str, int] = {}
    for one in after:
        if more := one.times - had.get((one.reason, one.sender), 0):
            found[one.reason] = found.get(one.reason, 0) + more
    return found


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except OSError as error:
        raise Usage(f"{path} cannot be read: {error.strerror}") from error
