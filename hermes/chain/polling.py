"""Waiting for a new block where a server does not call: looking again, ever more slowly."""

from collections.abc import Awaitable, Callable

import anyio

from hermes.chain.backend import Tip

_FIRST_S, _LAST_S = 0.05, 2.0


async def other_tip(look: Callable[[], Awaitable[Tip]], known: Tip, timeout_s: float) -> Tip:
    """The best block once it is another than `known`, or after so many seconds whatever it is."""
    tip, pause = await look(), _FIRST_S
    with anyio.move_on_after(timeout_s):
        while tip == known:
            await anyio.sleep(pause)
            pause = min(2 * pause, _LAST_S)
            tip = await look()
    return tip
