"""The front door: plain HTTP is answered here, a WebSocket goes on to LocalRelay frame by frame.

LocalRelay closes plain HTTP and cannot tell who proved himself, so the NIP-11 document, the
metrics and NIP-42 need this. It limits how many connections there are, how large a frame is,
and how long a stranger may take to say what it wants. No TLS: a proxy in front does that.
"""

import ipaddress
from collections.abc import Awaitable, Callable

import anyio
from anyio.abc import SocketAttribute, SocketStream

from relay.callers import Caller, Callers
from relay.counters import Counters
from relay.frames import Frame, FrameTooLarge, split
from relay.head import MOST_HEAD, Head, HeadInvalid, answer, read_head
from relay.line import Line

Answer = Callable[[Head, bool], Awaitable[bytes]]
"""What plain HTTP gets; the flag says whether the caller is on this machine."""
Joined = Callable[[Caller, str], Line]
"""Our part in a conversation, given its caller and the address `host:port` that he reached."""

_HEAD_S = 10.0
_PIECE = 64 << 10
_MOST_FRAME = 2 << 20  # LocalRelay declines politely what is too large, up to 5 MB
_OPENED = b"HTTP/1.1 101 "


class Front:
    """Takes connections and sends them on to `back`, LocalRelay's address."""

    def __init__(
        self,
        back: tuple[str, int],
        callers: Callers,
        counters: Counters,
        answers: Answer,
        joined: Joined,
    ) -> None:
        self.most, self.most_each = 500, 60
        self._back = back
        self._joined = joined
        self._callers = callers
        self._counters = counters
        self._answers = answers

    async def receive(self, client: SocketStream) -> None:
        """Serve one connection to its end."""
        async with client:
            address = _address(client)
            near = _is_near(address)
            if self._counters.open >= self.most:
                self._counters.turned_away["too many connections"] += 1
                return
            if not near and self._callers.of(address) >= self.most_each:
                self._counters.turned_away["too many of one address"] += 1
                return
            self._counters.connections += 1
            self._counters.open += 1
            try:
                await self._serve(client, address, near=near)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
                self._counters.turned_away["broken off"] += 1
            except Exception:  # noqa: BLE001 - one connection's bytes must not end all others
                self._counters.turned_away["broken"] += 1
            finally:
                self._counters.open -= 1

    async def _serve(self, client: SocketStream, address: str, *, near: bool) -> None:
        data, head = b"", None
        with anyio.move_on_after(_HEAD_S):
            try:
                while head is None and len(data) <= MOST_HEAD:
                    data += await client.receive(MOST_HEAD)
                    head = read_head(data)
            except HeadInvalid:
                await client.send(answer("400 Bad Request", "this is a Nostr relay\n"))
                return
            except anyio.EndOfStream:
                return
        if head is None:
            self._counters.turned_away["said nothing"] += 1
        elif head.upgrades:
            await self._pass_on(client, address, data)
        else:
            await client.send(await self._answers(head, near))

    async def _pass_on(self, client: SocketStream, address: str, data: bytes) -> None:
        async with await anyio.connect_tcp(*self._back) as back:
            pipe = _place(back)
            line = self._joined(self._callers.enter(pipe, address), _place(client))
            try:
                await back.send(data)
                await self._converse(client, back, line)
            finally:
                self._callers.leave(pipe)

    async def _converse(self, client: SocketStream, back: SocketStream, line: Line) -> None:
        data = b""
        while b"\r\n\r\n" not in data and len(data) < MOST_HEAD:
            data += await back.receive()
        head, _, rest = data.partition(b"\r\n\r\n")
        await client.send(head + b"\r\n\r\n")
        if not head.startswith(_OPENED):
            return
        await client.send(line.greeting())
        speaking = anyio.Lock()

        async def upward(frames: list[Frame]) -> None:
            passed = b""
            for frame in frames:
                if (answered := line.upward(frame)) is None:
                    passed += frame.raw
                else:
                    async with speaking:
                        await client.send(answered)
            if passed:
                await back.send(passed)

        async def downward(frames: list[Frame]) -> None:
            async with speaking:
                await client.send(b"".join(map(line.downward, frames)))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._each, back, bytearray(rest), downward, tasks.cancel_scope)
            tasks.start_soon(self._each, client, bytearray(), upward, tasks.cancel_scope)

    async def _each(
        self,
        source: SocketStream,
        data: bytearray,
        use: Callable[[list[Frame]], Awaitable[None]],
        both: anyio.CancelScope,
    ) -> None:
        """Use frames as they come, until either end goes: that ends both ways."""
        try:
            while True:
                if frames := split(data, _MOST_FRAME):
                    await use(frames)
                data += await source.receive(_PIECE)
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            both.cancel()
        except FrameTooLarge:
            self._counters.turned_away["frame too large"] += 1
            both.cancel()


def _place(stream: SocketStream) -> str:
    return "{}:{}".format(*stream.extra(SocketAttribute.local_address))  # noqa: S610 - no SQL


def _address(client: SocketStream) -> str:
    try:
        return str(client.extra(SocketAttribute.remote_address)[0])  # noqa: S610 - no SQL
    except (anyio.TypedAttributeLookupError, OSError):  # gone already
        return ""


def _is_near(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
