"""Anchors in a process of its own that kills itself at one question to the chain's server.

Arguments: the house's directory, the server's URL, which question, `before` or `after` it.
"""

import os
import signal
import sys
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parent))

from anchor_house import visit
from twisted import Twisted


class Chain:
    """What `visit` needs of a chain that another process runs."""

    def __init__(self, url: str) -> None:
        self.url = url


class Fatal(Twisted):
    def __init__(self, backend, at: int, when: str) -> None:
        super().__init__(backend)
        self._at, self._when = at, when

    def __getattr__(self, name: str):
        ask = super().__getattr__(name)

        async def die(*args):
            last = len(self.asked) == self._at
            if last and self._when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            found = await ask(*args)
            if last:
                os.kill(os.getpid(), signal.SIGKILL)
            return found

        return die


async def main(base: str, url: str, at: str, when: str) -> None:
    async with visit(Path(base), Chain(url)) as h, h.keeper.connect() as backend:
        await h.keeper.tick(Fatal(backend, int(at), when))


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
