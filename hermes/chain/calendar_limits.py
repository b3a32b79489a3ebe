"""What strangers may use of the calendar; apart from HTTP, and without a clock of its own."""

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
