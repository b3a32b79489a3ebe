"""One envelope over the best of several links.

Apart from the links: they know nothing of envelopes, whose keys a chat without a mesh never loads.
"""

import math
from collections.abc import Iterable

import anyio
from anyio.abc import TaskGroup

from hermes.mesh.envelope import Envelope, write
from hermes.mesh.link import Delivery, Link

_SILENT_S = 1.0
"""So long a link may keep what is live to itself: a lease is renewed every two seconds."""


async def by_best(
    links: Iterable[Link], envelope: Envelope, tasks: TaskGroup, *, durable: bool
) -> Delivery:
    """Send once, over the best link; over the next one, too, where one fails or keeps silent.

    Returns with the first that takes it; `tasks` hold what others go on with.
    """
    data, until = write(envelope), envelope.expires_at
    found: list[Delivery] = []
    answers = anyio.Semaphore(0)

    async def give(link: Link) -> None:
        found.append(await link.send(envelope.to, data, expires_at=until, durable=durable))
        answers.release()

    working = [link for link in links if link.quality() > 0]
    working.sort(key=lambda one: -one.quality())
    heard = 0
    for begun, link in enumerate(working, 1):
        tasks.start_soon(give, link)
        while heard < begun:
            with anyio.move_on_after(math.inf if begun == len(working) else _SILENT_S) as wait:
                await answers.acquire()
            if wait.cancelled_caught:
                break
            heard += 1
            if found[heard - 1].taken:
                return found[heard - 1]
    return found[-1] if found else Delivery(taken=False, reason="no link works")
