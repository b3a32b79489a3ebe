"""Who may ask now: a bucket of requests for each address, filled by the second."""

from collections import OrderedDict


class Rate:
    """Buckets of `burst` requests that fill by `per_second`; bounded, and without a clock."""

    def __init__(self, per_second: float, burst: int, addresses: int = 4_096) -> None:
        self._per_second, self._burst, self._addresses = per_second, burst, addresses
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def admits(self, address: str, now: float) -> bool:
        """Take one request from an address's bucket; `now` in seconds."""
        left, then = self._left.pop(address, (float(self._burst), now))
        left = min(self._burst, left + (now - then) * self._per_second)
        admitted = left >= 1
        self._left[address] = left - admitted, now
        while len(self._left) > self._addresses:
            self._left.popitem(last=False)
        return admitted
