"""Large letters on their way out: sealed and kept here until their note is acknowledged.

Where this node has an endpoint its chunks are fetched there; else, or if nobody comes for them,
they are left at the recipient's. Only the outbox decides when a note is tried again.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple

import anyio
from anyio.abc import TaskGroup

from hermes.errors import BlobRefused, HermesError
from hermes.mesh.blob_client import BlobClient
from hermes.mesh.blobs import Blobs
from hermes.mesh.consignment import (
    BLOB,
    MOST_LETTER,
    Consignment,
    Endpoints,
    read_consignment,
    write_consignment,
)
from hermes.mesh.envelope import Letter, read
from hermes.store.mesh import MeshBook

Call = Callable[[str], AbstractAsyncContextManager[BlobClient]]
"""Opens a line to the endpoint at an address."""
_UNFETCHED = 4  # tries of a note after which its chunks are brought


class _Load(NamedTuple):
    to: str
    consignment: Consignment


class Shipping:
    """The sending half; `ready` hears of a node to which a letter may go now.

    Args:
        blobs: where chunks are kept; nobody else may keep any there.
        endpoints: who serves chunks.
        call: opens a line.
        room: how many bytes may wait here.
    """

    def __init__(self, blobs: Blobs, endpoints: Endpoints, call: Call, room: int) -> None:
        self._blobs = blobs
        self._endpoints = endpoints
        self._call = call
        self._room = room
        self._loads: dict[str, _Load] = {}
        self._why: dict[str, str] = {}
        self._moving: set[str] = set()
        self._there: set[str] = set()
        self.tasks: TaskGroup
        self.ready: Callable[[str], Awaitable[None]]

    async def restore(self, book: MeshBook) -> None:
        """Take up what was on its way when this node ended."""
        for row in await book.waiting():
            data = await book.sealed(row.id) if row.kind == BLOB else None
            if data is not None:
                self._loads[row.id] = _Load(row.recipient, read_consignment(read(data).data))

    @property
    def consignments(self) -> tuple[Consignment, ...]:
        """What is on its way."""
        return tuple(one.consignment for one in self._loads.values())

    def reaches(self, node: str) -> bool:
        """Whether chunks can go to a node at all."""
        return self._endpoints.own() or bool(self._endpoints.where(node))

    async def seal(self, letter: Letter) -> tuple[Letter, Consignment]:
        """Keep a payload as chunks; the note of it. Raises BlobRefused where there is no room."""
        size = len(letter.payload)
        waiting = sum(one.reference.size for one in self.consignments)
        if size > MOST_LETTER:
            raise BlobRefused("too large", f"a letter has at most {MOST_LETTER} bytes")
        if waiting + size > self._room:
            raise BlobRefused("over quota", f"large letters that wait take {waiting} bytes already")
        reference = await self._blobs.keep(letter.payload)
        consignment = Consignment(letter.payload_type, reference)
        note = letter._replace(payload_type=BLOB, payload=write_consignment(consignment))
        return note, consignment

    def put(self, name: str, to: str, consignment: Consignment) -> None:
        """A note of this name is on its way."""
        self._loads[name] = _Load(to, consignment)

    def hold(self, name: str, tries: int) -> str:
        """Why a letter cannot go just now; "" where it can. May begin to bring its chunks."""
        load = self._loads.get(name)
        if load is None or name in self._there:
            return ""
        own, url = self._endpoints.own(), self._endpoints.where(load.to)
        if not own and not url:
            return "neither side has a blob endpoint"
        if url and (not own or tries >= _UNFETCHED) and name not in self._moving:
            self._moving.add(name)
            self.tasks.start_soon(self._bring, name, load, url)
        return "" if own else self._why.get(name, "its chunks are on their way")

    def end(self, name: str, arrived: bool) -> None:  # noqa: FBT001 - a callback
        """It is known what became of a letter: its chunks are needed no more."""
        load = self._loads.pop(name, None)
        self._why.pop(name, None)
        if load is not None:
            left = name in self._there and not arrived
            self._there.discard(name)
            self.tasks.start_soon(self._forget, load, left)

    async def drop(self, name: str, consignment: Consignment) -> None:
        """A letter was never on its way: give its chunks up."""
        self._loads.pop(name, None)
        await self._blobs.forget(consignment.reference)

    async def _bring(self, name: str, load: _Load, url: str) -> None:
        """Leave the chunks at the recipient's; those that are there are not sent again."""
        try:
            async with self._call(url) as client:
                await self._blobs.send(load.consignment.reference, client)
        except HermesError as error:
            self._why[name] = error.message
            return
        finally:
            self._moving.discard(name)
        if name in self._loads:
            self._there.add(name)
            await self.ready(load.to)

    async def _forget(self, load: _Load, left: bool) -> None:  # noqa: FBT001 - for a task group
        reference = load.consignment.reference
        names = await self._blobs.names(reference)
        await self._blobs.forget(reference)
        if not left or not (url := self._endpoints.where(load.to)):
            return
        try:  # its recipient did not take it up: it need not lie there for weeks
            async with self._call(url) as client:
                for one in names:
                    await client.remove(one)
        except HermesError:
            await anyio.lowlevel.checkpoint()  # its sweep removes them
