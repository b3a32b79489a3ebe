"""Messages as they go out: kept in the owner's books, in order, tried until a relay takes them.

The wrap itself is kept, so that a message which goes out twice is one message. Whether its
reader ever fetches it nobody knows: NIP-17 has no receipts.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence

import anyio
import msgspec
from anyio.abc import TaskGroup, TaskStatus

from hermes.core.clock import Clock
from hermes.errors import HermesError
from hermes.gateway.dm_book import Book
from hermes.gateway.dm_mail import TEXT
from hermes.mesh.event import NostrEvent
from hermes.mesh.nostr_adapter import Wire
from hermes.store.dms import Post

_FIRST_S, _MOST_S = 0.25, 60.0
_EVENT = msgspec.json.Decoder(NostrEvent)


Where = Callable[[str], tuple[str, ...]]
"""Those of the wire's relays where a person reads; nothing: not known, all of them are used."""


class Outgoing:
    """All that is said to people; `run` must run beside."""

    def __init__(self, wire: Wire, book: Book, clock: Clock, where: Where = lambda _to: ()) -> None:
        self._wire = wire
        self._book = book
        self._where = where
        self._clock = clock
        self._last: dict[str, int] = {}
        self._queues: dict[str, deque[Post]] = {}
        self._tasks: TaskGroup

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Send what is left from before, and from then on whatever `say` keeps."""
        self._last = dict(await self._book.last())
        async with anyio.create_task_group() as self._tasks:
            self._queue(await self._book.waiting())
            task_status.started()
            await anyio.sleep_forever()

    async def say(self, to: str, texts: Sequence[str], done: Iterable[str] = ()) -> bool:
        """Keep what is said to a person, and the messages that it answers as done; then send it.

        False: the person is no longer paired.
        """
        posts = [self._wrapped(to, text) for text in texts]
        if not await self._book.answer(done, posts):
            return False
        self._queue(posts)
        return True

    def _wrapped(self, to: str, text: str) -> Post:
        # Clients order by the second: what is said later has to be a second later.
        now = self._clock.now_ms() // 1_000
        moment = self._last[to] = max(now, self._last.get(to, 0) + 1)
        keys = self._wire.keys
        rumour = keys.rumour(TEXT, text, (("p", to),), moment)
        wrap = keys.wrap(to, rumour, 0, now=now, live=False)
        return Post(to, rumour.id, moment, wrap.json)

    def _queue(self, posts: Iterable[Post]) -> None:
        for post in posts:
            queue = self._queues.get(post.recipient)
            if queue is not None:
                queue.append(post)
            else:
                self._queues[post.recipient] = deque([post])
                self._tasks.start_soon(self._send, post.recipient)

    async def _send(self, to: str) -> None:
        """Send one person's messages, each once the one before it is with a relay."""
        queue, wait = self._queues[to], _FIRST_S
        while queue:
            if await self._taken(_EVENT.decode(queue[0].event), to):
                wait = _FIRST_S
                await self._note(queue.popleft())
            else:
                await anyio.sleep(wait)
                wait = min(wait * 2, _MOST_S)
        del self._queues[to]

    async def _taken(self, event: NostrEvent, to: str) -> bool:
        """Give an event to its reader's relays, or to all; returns with the first that took it."""
        taken = anyio.Event()
        urls = self._where(to) or self._wire.urls
        left = len(urls)

        async def give(url: str) -> None:
            nonlocal left
            said = await self._wire.publish(event, [url])
            left -= 1
            if not said[url]:
                ok.append(url)
            if ok or not left:
                taken.set()

        ok: list[str] = []
        for url in urls:
            self._tasks.start_soon(give, url)
        if urls:
            await taken.wait()
        return bool(ok)

    async def _note(self, post: Post) -> None:
        try:
            await self._book.sent([post.rumour])
        except HermesError:  # then it is sent again after the next start: the same wrap
            return
