"""What the background tasks have in common: a name, and runs of bounded time."""

from typing import Protocol

import msgspec


class Report(msgspec.Struct, frozen=True):
    """What one run did: things looked at, things changed, and whether some are left for the next.

    `text` says it in plain words, for `hermes memory status`.
    """

    looked: int
    changed: int
    more: bool
    text: str


class Task(Protocol):
    """The historian, the dreamer: something that can be run by hand as well as by the clock."""

    @property
    def name(self) -> str:
        """What the person calls it."""
        ...

    async def run(self, limit_s: float) -> Report:
        """Work for about so long at most; every step of it is whole or not done."""
        ...
