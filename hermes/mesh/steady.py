"""Notices that the clock was set back: whatever is due then would wait for as long.

Clocks that are set forward need nobody: what is due later is due now, and a lease that ends too
early is claimed anew. Does not say which time is right.
"""

from collections.abc import Callable

import anyio

from hermes.core.clock import Clock
from hermes.errors import MeshError
from hermes.mesh.clocks import span

_BACK_MS = 2_000
"""So much later a lease may be renewed."""
_EVERY_S = 1.0
_AT_ONCE_S = 0.1


async def set_back(
    clock: Clock, steady: Callable[[], float] = anyio.current_time, every_s: float = _EVERY_S
) -> None:
    """Raise MeshError once the clock was set back; until then, go on.

    `steady`: seconds that nobody sets.
    """
    before = await _apart(clock, steady)
    while True:
        await anyio.sleep(every_s)
        now = await _apart(clock, steady)
        if now < before - _BACK_MS:
            back = span(round(before - now))
            raise MeshError(f"the clock was set back by {back}: the mesh begins anew")
        before = now


async def _apart(clock: Clock, steady: Callable[[], float]) -> float:
    """How far the two are apart, in ms, read at one instant: a process may be stopped between."""
    while True:
        first, now = steady(), clock.now_ms()
        if steady() - first < _AT_ONCE_S:
            return now - first * 1000
        await anyio.lowlevel.checkpoint()
