"""Where checkpoints, attestations and anchors are published: a folder, and whoever joins it.

What is published is public: nothing secret and nothing of a conversation goes through here.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

import anyio.to_thread

from hermes.errors import Usage
from hermes.identity.whole import write_whole

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Publisher(Protocol):
    """Makes something known to others."""

    async def publish(self, kind: str, name: str, data: bytes) -> None:
        """Publish bytes of a kind (`checkpoint`, `attestation`, `anchor`) under a name.

        The same kind and name again: the newer bytes take their place.
        """
        ...


class FilePublisher:
    """Publishes as files `<directory>/<kind>/<name>`, each written whole."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def publish(self, kind: str, name: str, data: bytes) -> None:
        """Write a file; raises Usage on a name that is none, IdentityError on a refusing disk."""
        for word in (kind, name):
            if not _WORD.fullmatch(word):
                raise Usage(f"{word!r} is no name to publish under")
        path = self._directory / kind / name
        await anyio.to_thread.run_sync(partial(write_whole, path, data))


class Publishers:
    """One that is always there, and more for as long as they are up."""

    def __init__(self, first: Publisher) -> None:
        self._all = [first]

    async def publish(self, kind: str, name: str, data: bytes) -> None:
        """Publish with each."""
        for one in tuple(self._all):
            await one.publish(kind, name, data)

    @contextmanager
    def also(self, one: Publisher) -> Iterator[None]:
        """Publish with one more while the context is open; it has to look itself for what was."""
        self._all.append(one)
        try:
            yield
        finally:
            self._all.remove(one)
