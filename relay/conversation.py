"""One WebSocket between a caller and LocalRelay: frames go by, events are taken at the door."""

from collections.abc import Awaitable, Callable

import anyio
import msgspec
from anyio.abc import SocketStream, TaskGroup

from relay.counters import Counters
from relay.fragments import Fragments
from relay.frames import Frame, FrameTooLarge, split, text_frame
from relay.head import MOST_HEAD, dated
from relay.intake import Intake
from relay.line import Line

_PIECE = 64 << 10
_MOST_FRAME = 2 << 20  # what is too large is declined politely up to here
_OPENED = b"HTTP/1.1 101 "
_GRACE_S = 2.0  # for a login that is on its way: clients ask before they have read our challenge
_UNREADABLE = text_frame(b'["NOTICE","invalid: this is no event"]')


class Conversation:
    """`intake` None: events go on to LocalRelay, which keeps them in a database of its own."""

    def __init__(
        self, client: SocketStream, back: SocketStream, line: Line, counters: Counters
    ) -> None:
        self._client = client
        self._back = back
        self._line = line
        self._counters = counters
        self._fragments = Fragments(_MOST_FRAME)
        self._speaking = anyio.Lock(fast_acquire=True)
        self._tasks: TaskGroup

    async def run(self, intake: Intake | None, said: bytes) -> None:
        """Until either side goes; LocalRelay has got the request, but not what was said after."""
        data = b""
        while b"\r\n\r\n" not in data and len(data) < MOST_HEAD:
            data += await self._back.receive()
        head, _, rest = data.partition(b"\r\n\r\n")
        await self._client.send(dated(head + b"\r\n\r\n", self._line.second))
        if not head.startswith(_OPENED):
            return
        await self._client.send(self._line.greeting())

        async def upward(frames: list[Frame]) -> None:
            await self._upward(frames, intake)

        async with anyio.create_task_group() as self._tasks:
            self._tasks.start_soon(self._each, self._back, bytearray(rest), self._downward)
            self._tasks.start_soon(self._each, self._client, bytearray(said), upward)

    async def _each(
        self,
        source: SocketStream,
        data: bytearray,
        use: Callable[[list[Frame]], Awaitable[None]],
    ) -> None:
        """Use frames as they come, until either end goes: that ends both ways."""
        try:
            while True:
                if frames := split(data, _MOST_FRAME):
                    await use(frames)
                data += await source.receive(_PIECE)
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass
        except FrameTooLarge:
            self._counters.turned_away["frame too large"] += 1
        self._tasks.cancel_scope.cancel()

    async def _upward(self, frames: list[Frame], intake: Intake | None) -> None:
        events: list[bytes] = []
        for frame in filter(None, map(self._fragments.take, frames)):
            if intake is not None and self._line.is_event(frame):
                events.append(frame.content())
                continue
            if intake is not None and events:  # who asks next has to see them
                await self._take(events, intake)
                events = []
            if self._line.is_login(frame):
                self._tasks.start_soon(self._welcome, self._line.upward(frame))
                continue
            if self._line.early(frame):
                self._tasks.start_soon(self._later, frame)
                continue
            await self._answer(frame)
        if intake is not None and events:
            await self._take(events, intake)

    async def _answer(self, frame: Frame) -> None:
        if (answered := self._line.upward(frame)) is None:
            await self._back.send(frame.raw)
        else:
            await self._say(answered)

    async def _welcome(self, answer: bytes | None) -> None:
        with anyio.move_on_after(_GRACE_S):
            await self._line.quiet.wait()
        await self._say(answer or b"")

    async def _later(self, frame: Frame) -> None:
        with anyio.move_on_after(_GRACE_S):
            await self._line.known.wait()
        await self._answer(frame)

    async def _downward(self, frames: list[Frame]) -> None:
        await self._say(b"".join(map(self._line.downward, frames)))

    async def _take(self, events: list[bytes], intake: Intake) -> None:
        answers = await intake.take(events, self._line.caller)
        await self._say(
            b"".join(
                text_frame(msgspec.json.encode(answer)) if answer else _UNREADABLE
                for answer in answers
            )
        )

    async def _say(self, data: bytes) -> None:
        async with self._speaking:
            if data:
                await self._client.send(data)
