"""What an engine's supervisor tells to whoever keeps its evaluated prefixes.

Apart from both, so that the supervisor runs without and knows nothing of files and slots.
"""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from hermes.core.model import ModelRequest


class Keeping(AbstractAsyncContextManager[object], Protocol):
    """Keeps what an engine has evaluated beyond its end (`models.prefixes`)."""

    def starting(self) -> None:
        """An engine process is being started."""
        ...

    def ready(self, uds: str, key: str) -> None:
        """It answers; nothing is evaluated yet."""
        ...

    async def parting(self) -> None:
        """It is about to be stopped, alive; returns within seconds."""
        ...

    def around(self, request: ModelRequest) -> AbstractAsyncContextManager[None]:
        """Every request to the engine runs in it."""
        ...
