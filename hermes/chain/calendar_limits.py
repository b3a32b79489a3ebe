"""What strangers may use of the calendar; apart from HTTP, and without a clock of its own."""

from collections import OrderedDict

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """What strangers may use."""

    connections: int = 64
    """Connections at one time; more are closed at once."""
    request_s: float = 10.0
    """Seconds for one request and its answer, and for the silence between two."""
    per_second: float = 50.0
    """Requests of one address a second, in the long run."""
    burst: int = 500
    """Requests of one address at once."""
    addresses: int = 4_096
    """Addresses that are remembered."""
    waiting: int = 1_000_000
    """Digests of all that wait for their anchor."""


class Rate:
    """Who may ask now: a bucket of requests an address, filled by the second."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def admits(self, address: str, now: float) -> bool:
        """Take one request from an address's bucket; `now` in seconds."""
        left, then = self._left.pop(address, (float(self._limits.burst), now))
        left = min(self._limits.burst, left + (now - then) * self._limits.per_second)
        admitted = left >= 1
        self._left[address] = left - admitted, now
        while len(self._left) > self._limits.addresses:
            self._left.popitem(last=False)
        return admitted
