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
from relay.conversation import Conversation
from relay.counters import Counters
from relay.head import MOST_HEAD, Head, HeadInvalid, answer, read_head
from relay.intake import Intake
from relay.line import Line

Answer = Callable[[Head, bool], Awaitable[bytes]]
"""What plain HTTP gets; the flag says whether the caller is on this machine."""
Joined = Callable[[Caller, str], Line]
"""Our part in a conversation, given its caller and the address `host:port` that he reached."""

_HEAD_S = 10.0


class Front:
    """Takes connections and sends them on to `back`, LocalRelay's address."""

    def __init__(
        self,
        back: tuple[str, int],
        callers: Callers,
        counters: Counters,
        answers: Answer,
        joined: Joined,
        intake: Intake | None,
    ) -> None:
        self.most, self.most_each = 500, 60
        self._back = back
        self._joined = joined
        self._intake = intake
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
            await self._pass_on(client, address, data[: len(data) - len(head.rest)], head.rest)
        else:
            await client.send(await self._answers(head, near))

    async def _pass_on(self, client: SocketStream, address: str, data: bytes, said: bytes) -> None:
        async with await anyio.connect_tcp(*self._back) as back:
            pipe = _place(back)
            line = self._joined(self._callers.enter(pipe, address), _place(client))
            try:
                await back.send(data)
                await Conversation(client, back, line, self._counters).run(self._intake, said)
            finally:
                line.hang_up()
                self._callers.leave(pipe)


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
