"""A link within the process, to test what runs over links: it drops, doubles and holds back."""

from collections import deque
from collections.abc import AsyncIterator, Callable

import anyio

from hermes.mesh.link import Delivery, Received

Treat = Callable[[str, bytes], list[bytes]]
"""Given the recipient and what is sent: what arrives."""


class Cable:
    """Joins post offices by their keys; each gets its own end by `end`."""

    def __init__(self, treat: Treat = lambda _to, data: [data]) -> None:
        self.treat = treat
        self.ends: dict[str, CableEnd] = {}

    def end(self, me: str, name: str = "cable") -> "CableEnd":
        """A node's link; a new one takes the place of the old."""
        self.ends[me] = CableEnd(self, me, name)
        return self.ends[me]


class CableEnd:
    """One node's link. `sent` counts tries, `works` is what its quality says."""

    def __init__(self, cable: Cable, me: str, name: str) -> None:
        self.name = name
        self.works = True
        self.sent = 0
        self.done: list[Received] = []
        self._cable = cable
        self._me = me
        self.waiting: deque[Received] = deque()
        self._came = anyio.Event()

    def quality(self) -> float:
        """All or nothing."""
        return 1.0 if self.works else 0.0

    async def send(self, to: str, data: bytes, *, expires_at: int, durable: bool) -> Delivery:
        """Bring it to the other end, as the cable treats it."""
        del expires_at
        self.sent += 1
        await anyio.lowlevel.checkpoint()
        other = self._cable.ends.get(to)
        if other is None or not self.works:
            return Delivery(taken=False, reason="nobody there")
        for one in self._cable.treat(to, data):
            other.put(Received(one, self._me, self.name, durable))
        return Delivery(taken=True)

    def put(self, received: Received) -> None:
        """Something arrives here."""
        self.waiting.append(received)
        self._came.set()

    async def receive(self) -> AsyncIterator[Received]:
        """What arrives."""
        while True:
            while self.waiting:
                yield self.waiting.popleft()
            self._came = anyio.Event()
            await self._came.wait()

    async def handled(self, received: Received) -> None:
        """Remember it."""
        self.done.append(received)

    async def run(self) -> None:
        """Nothing to keep up."""
