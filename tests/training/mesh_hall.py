"""Workers of a mesh run in one process: real endpoints and blobs, messages over memory."""

import socket
from collections import defaultdict
from contextlib import AsyncExitStack, asynccontextmanager

import anyio

from hermes.chain.listening import Door
from hermes.core.clock import SystemClock
from hermes.identity.hot import HotKey
from hermes.mesh.blob_client import BlobClient
from hermes.mesh.blob_http import open_endpoint
from hermes.mesh.blobs import Blobs
from hermes.store.blob_chunks import Chunks
from training.sync.mesh import Mesh, Place

CLOCK = SystemClock()


def free():
    """An address that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def unreported(part, error):
    raise AssertionError(f"{part}: {error!r}") from error


class Hall:
    """Where messages pass; `lost(sender, to)` says which do not."""

    def __init__(self):
        self.lost = lambda _sender, _to: False
        self._boxes = {}
        self.sent = defaultdict(int)

    def mail(self, name):
        send, receive = anyio.create_memory_object_stream(10_000)
        self._boxes[name] = send
        return _Mail(name, self, send, receive)

    def pass_on(self, sender, to, data):
        self.sent[sender] += 1
        if to in self._boxes and not self.lost(sender, to):
            try:
                self._boxes[to].send_nowait((sender, data))
            except (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.WouldBlock):
                return


class _Mail:
    def __init__(self, name, hall, box, receive):
        self.name, self.hall, self.box, self.receive = name, hall, box, receive

    def close(self):
        self.box.close()
        self.receive.close()

    async def send(self, worker, data):
        self.hall.pass_on(self.name, worker, data)

    async def received(self):
        async for one in self.receive:
            yield one


class Roster:
    """Workers with their keys and bound doors; a worker can leave and come back."""

    def __init__(self, root, names=("w0", "w1", "w2")):
        self.root, self.names, self.hall = root, names, Hall()
        self.keys = {name: HotKey(bytes([at + 1]) * 32) for at, name in enumerate(names)}
        self.addresses = {name: free() for name in names}

    @asynccontextmanager
    async def worker(self, name, *, limit=1_000, **times):
        """A worker's transport."""
        door = Door.bound(self.addresses[name], "blobs", "another")
        admitted = {key.public for key in self.keys.values()}
        async with AsyncExitStack() as stack:
            chunks = await Chunks.open(self.root / name / "blobs")
            enter = stack.enter_async_context
            await enter(open_endpoint(chunks, door, admitted.__contains__, CLOCK, unreported))
            sources = {
                other: await enter(
                    BlobClient.open(f"http://{address}", self.keys[name], CLOCK, tries=1)
                )
                for other, address in self.addresses.items()
                if other != name
            }
            mail = self.hall.mail(name)
            stack.callback(mail.close)
            place = Place(name, mail, Blobs(chunks), sources, self.root / name, limit)
            times = {"beat_s": 0.05, "silence_s": 0, "patience_s": 20.0} | times
            yield await enter(Mesh(place, **times))

    @asynccontextmanager
    async def all(self):
        """Everybody's transports, in order."""
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(self.worker(name)) for name in self.names]
