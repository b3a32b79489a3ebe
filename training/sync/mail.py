"""Messages between the workers of a mesh run: sealed in envelopes, over the mesh's own links.

Nothing is kept and nothing sent twice: what gets lost is asked for again a moment later, and
what comes twice changes nothing. Only keys of the roster are heard.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol, Self

import anyio
from anyio.abc import TaskGroup

from hermes.core.clock import Clock
from hermes.errors import EnvelopeRefused
from hermes.identity.hot import HotKey
from hermes.mesh.envelope import Letter, open_envelope, seal, write
from hermes.mesh.link import Link

KIND = "train"
_TTL_MS = 60_000
_ROOM = 1_024


class Mail(Protocol):
    """How a worker's messages reach the others; any of them may get lost."""

    async def send(self, worker: str, data: bytes) -> None:
        """Try once; never raises for what a network does."""
        ...

    def received(self) -> AsyncIterator[tuple[str, bytes]]:
        """What came, and from which worker, until it is closed."""
        ...


class LinkMail:
    """A `Mail` over links; a context manager, while the links are open.

    Args:
        key: this worker's; its public half stands in the roster.
        workers: x-only keys in hex by worker.
        links: ways to the others, used best first.
        run: a name that all workers of the run share.
    """

    def __init__(
        self, key: HotKey, workers: Mapping[str, str], links: Sequence[Link], clock: Clock, run: str
    ) -> None:
        self._key, self._clock, self._run = key, clock, run
        self._keys = dict(workers)
        self._names = {public: name for name, public in workers.items()}
        self._links = tuple(links)
        self._seq = 0
        self._last: dict[str, int] = {}
        self._in, self._out = anyio.create_memory_object_stream[tuple[str, bytes]](_ROOM)
        self._tasks: TaskGroup
        self.refused = 0

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        for link in self._links:
            self._tasks.start_soon(link.run)
            self._tasks.start_soon(self._hear, link)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._tasks.cancel_scope.cancel()
        try:
            await self._tasks.__aexit__(None, None, None)
        finally:
            self._in.close()
            self._out.close()

    async def send(self, worker: str, data: bytes) -> None:
        """Try the links, the best first, until one takes it."""
        now = self._clock.now_ms()
        self._seq = max(self._seq + 1, now * 1_000)  # grows over restarts, too
        letter = Letter(self._keys[worker], KIND, data, self._run, _TTL_MS)
        envelope = seal(self._key, letter, self._seq, now)
        sealed = write(envelope)
        for link in sorted(self._links, key=lambda one: -one.quality()):
            given = await link.send(
                envelope.to, sealed, expires_at=envelope.expires_at, durable=False
            )
            if given.taken:
                return

    async def received(self) -> AsyncIterator[tuple[str, bytes]]:
        """What came from the roster for this run."""
        async for one in self._out:
            yield one

    async def _hear(self, link: Link) -> None:
        async for received in link.receive():
            try:
                found = open_envelope(
                    received.data, self._key.public, self._clock.now_ms(), self._admits
                )
            except EnvelopeRefused:
                self.refused += 1
                continue
            if found.conversation_id == self._run:
                try:
                    self._in.send_nowait((self._names[found.node_id], found.data))
                except anyio.WouldBlock:
                    self.refused += 1  # as good as lost: it is asked for again

    def _admits(self, key: str, kind: str) -> bool:
        return key in self._names and kind == KIND
