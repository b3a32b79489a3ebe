"""Who is on the line: LocalRelay sees only our own pipe's port, this knows what is behind it."""

from dataclasses import dataclass, field


@dataclass
class Caller:
    """One connection: the address it came from, and the keys that proved themselves on it."""

    address: str
    keys: set[str] = field(default_factory=set)

    def vouched(self, served: frozenset[str]) -> str:
        """One of its keys that is served here; empty when there is none."""
        return next(iter(self.keys & served), "")


class Callers:
    """The connections that came through the front door, by the pipe's address `host:port`."""

    def __init__(self) -> None:
        self._callers: dict[str, Caller] = {}

    def enter(self, pipe: str, address: str) -> Caller:
        """A connection from `address` goes on through this pipe."""
        caller = self._callers[pipe] = Caller(address)
        return caller

    def leave(self, pipe: str) -> None:
        """The connection ended."""
        self._callers.pop(pipe, None)

    def at(self, pipe: str) -> Caller | None:
        """Who is at the other end; None: it did not come through the front door."""
        return self._callers.get(pipe)

    def of(self, address: str) -> int:
        """How many connections an address has."""
        return sum(caller.address == address for caller in self._callers.values())
