"""Sneakernet as the owner serves it: what waits goes into a file, what a file brings comes in.

With a mesh that runs, letters go through its post office; without one they are noted, and handed
over when one runs. Receipts go along, so that a bundle back ends what a bundle brought.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Protocol

import anyio.to_thread

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
    """Who this node is, and who belongs to its owner (`node.warrants`)."""

    async def agent(self) -> Agent:
        """The unlocked signer."""
        ...

    async def members(self) -> Json:
        """How every node of the fleet stands."""
        ...


class PostOffice(Protocol):
    """What takes letters in (`hermes.mesh.post.Post`)."""

    async def take(self, received: Received, /) -> bool:
        """Take one letter."""
        ...

    async def refused(self) -> tuple[Refusal, ...]:
        """The counters."""
        ...


class Bundles:
    """Makes and takes bundles; `post` is the running mesh's post office, where there is one."""

    def __init__(self, store: Store, clock: Clock, identity: Identity) -> None:
        self._store = store
        self._clock = clock
        self._identity = identity
        self.post: PostOffice | None = None

    def queries(self) -> Mapping[str, Query]:
        """The table of query names."""
        return {"bundle.export": self.export, "bundle.import": self.bring}

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
        async with self._office(key) as post:
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
        made = []
        for sender, names in by_sender.items():
            for envelope in post.receipts(key, sender, names, now):
                data = post.write(envelope)
                made.append(bundle.Enclosed(sender, data, envelope.expires_at))
        return made

    @asynccontextmanager
    async def _office(self, key: object) -> AsyncGenerator[PostOffice]:
        if self.post is not None:
            yield self.post
            return
        fleet = await self._identity.members()
        nodes = {one["node"] for one in fleet if one["state"] == "valid"}
        post = load("post").Post
        async with post(key, self._store.mesh, (), self._clock, partial(_admits, nodes)) as quiet:
            yield quiet


def _admits(nodes: set[str], sender: str, _payload_type: str) -> bool:
    return sender in nodes


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
