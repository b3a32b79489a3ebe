"""A raw Nostr client for tests: says exactly what it is told, checks nothing, hides nothing."""

from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec
from anyio.abc import ByteStream
from nostr_sdk import EventBuilder, Keys, Kind, SingleThreadPow, Tag, Timestamp
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Request,
    TextMessage,
)
from wsproto.events import Message as WsMessage

Frame = list[Any]
Event = dict[str, Any]
_PIECE = 65_536
_PATIENCE_S = 20.0


def signed(
    keys: Keys,
    kind: int,
    content: str = "",
    tags: Sequence[Sequence[str]] = (),
    at: int | None = None,
) -> Event:
    """An event as JSON has it; `at` in seconds."""
    builder = EventBuilder(Kind(kind), content).tags([Tag.parse(list(tag)) for tag in tags])
    if at is not None:
        builder = builder.custom_created_at(Timestamp.from_secs(at))
    event: Event = msgspec.json.decode(builder.finalize(keys).as_json())
    return event


def worked(keys: Keys, kind: int, bits: int, tags: Sequence[Sequence[str]] = ()) -> Event:
    """An event with proof of work."""
    builder = EventBuilder(Kind(kind), "").tags([Tag.parse(list(tag)) for tag in tags])
    mined = builder.finalize_unsigned(keys.public_key()).mine(SingleThreadPow(), bits)
    event: Event = msgspec.json.decode(mined.sign(keys).as_json())
    return event


class Closed(Exception):
    """The relay hung up."""


class RawClient:
    """One connection; made by `raw_client`."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._wire = WSConnection(ConnectionType.CLIENT)
        self._frames: deque[Frame] = deque()
        self._text = ""
        self._asked = 0
        self._opened = False
        self.challenge = ""
        """What the relay would like to see signed (NIP-42)."""

    async def open(self, host: str) -> None:
        """Shake hands."""
        await self._stream.send(self._wire.send(Request(host=host, target="/")))
        while not self._opened:
            await self._listen()

    async def say(self, message: Frame | str | bytes) -> None:
        """Send a message: a frame as JSON, a text or bytes as they are."""
        data = msgspec.json.encode(message).decode() if isinstance(message, list) else message
        event = BytesMessage(data) if isinstance(data, bytes) else WsMessage(data)
        await self._stream.send(self._wire.send(event))

    async def say_in_pieces(self, message: Frame, pieces: int = 3) -> None:
        """Send a message in several frames, with a ping between two of them."""
        text = msgspec.json.encode(message).decode()
        size = len(text) // pieces
        for at in range(pieces):
            last = at == pieces - 1
            part = text[at * size :] if last else text[at * size : (at + 1) * size]
            data = self._wire.send(WsMessage(part, message_finished=last))
            await self._stream.send(data if last else data + self._wire.send(Ping()))

    async def hear(self) -> Frame:
        """The next message; raises Closed."""
        with anyio.fail_after(_PATIENCE_S):
            while not self._frames:
                await self._listen()
        return self._frames.popleft()

    async def _listen(self) -> None:
        try:
            self._wire.receive_data(await self._stream.receive(_PIECE))
        except (anyio.EndOfStream, anyio.BrokenResourceError) as error:
            raise Closed from error
        for event in self._wire.events():
            await self._take(event)

    async def publish(self, event: Event) -> tuple[bool, str]:
        """Send an event; what its OK says. Messages before it stay to be heard."""
        await self.say(["EVENT", event])
        return await self.verdict(event["id"])

    async def verdict(self, id_: str) -> tuple[bool, str]:
        """Wait for the OK of an event."""
        passed = []
        while (frame := await self.hear())[:2] != ["OK", id_]:
            passed.append(frame)
        self._frames.extendleft(reversed(passed))
        return frame[2], frame[3]

    async def ask(self, *filters: Event) -> list[Event]:
        """The stored events; raises LookupError with the relay's words when it declines."""
        name = await self.subscribe(*filters)
        found = []
        while (frame := await self.hear())[0] == "EVENT":
            # What is new may still come for a subscription that was closed a moment ago.
            found += [frame[2]] if frame[1] == name else []
        if frame[0] != "EOSE":
            raise LookupError(frame[-1])
        await self.say(["CLOSE", name])
        return found

    async def subscribe(self, *filters: Event) -> str:
        """Ask and do not wait; the subscription's name."""
        self._asked += 1
        name = f"q{self._asked}"
        await self.say(["REQ", name, *filters])
        return name

    async def prove(self, keys: Keys, url: str, challenge: str = "") -> tuple[bool, str]:
        """Say who this is; the relay's challenge has come before anything else was heard."""
        while not self.challenge:
            await self._listen()
        tags = [["relay", url], ["challenge", challenge or self.challenge]]
        event = signed(keys, 22242, "", tags)
        await self.say(["AUTH", event])
        return await self.verdict(event["id"])

    async def _take(self, event: object) -> None:
        match event:
            case Ping():
                await self._stream.send(self._wire.send(event.response()))
            case AcceptConnection():
                self._opened = True
            case CloseConnection():
                raise Closed
            case TextMessage():
                self._text += event.data
                if event.message_finished:
                    self._hear(msgspec.json.decode(self._text))
                    self._text = ""

    def _hear(self, frame: Frame) -> None:
        if frame[0] == "AUTH":
            self.challenge = frame[1]
        else:
            self._frames.append(frame)


@asynccontextmanager
async def raw_client(url: str) -> AsyncGenerator[RawClient]:
    """Connect to a relay."""
    host, port = url.removeprefix("ws://").strip("/").rsplit(":", 1)
    async with await anyio.connect_tcp(host, int(port)) as stream:
        client = RawClient(stream)
        await client.open(host)
        yield client
