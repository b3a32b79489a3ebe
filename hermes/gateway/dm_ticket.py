"""A message on its way into the books: its turn may begin while it is being written down.

That saves a write to disk for every answer, and risks nothing: the turn bears the message's own
name, so it is one turn however often the message comes, and nothing is said before it is kept.
"""

import anyio

from hermes.store.dms import Received


class Ticket:
    """A message, and whether it was kept."""

    def __init__(self, message: Received, *, kept: bool = False) -> None:
        self.message = message
        self._settled = anyio.Event()
        self._kept = kept
        if kept:
            self._settled.set()

    def settle(self, *, kept: bool) -> None:
        """Say how it went."""
        self._kept = kept
        self._settled.set()

    async def stands(self) -> bool:
        """Wait until it is known; False: it counts for nothing."""
        await self._settled.wait()
        return self._kept
