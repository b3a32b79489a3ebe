"""What nodes say to each other about homes, and how it is sent.

`parcel`, `events` and `control` are durable; `lease` and `intents` are said to who listens now,
and said again while no answer comes.
"""

from collections.abc import Callable
from typing import Annotated, Literal

import anyio
import msgspec

from hermes.core.event import Answer, Event, Json, from_plain
from hermes.core.request import TurnRequest
from hermes.mesh import routing
from hermes.mesh.envelope import Letter
from hermes.mesh.intents import IntentMessage
from hermes.mesh.lease_values import LeaseMessage
from hermes.mesh.post import Post

LEASE, INTENTS, PARCEL, EVENTS, CONTROL = "lease", "intents", "parcel", "events", "control"
TTL_MS = 15 * 60_000
"""For how long a turn may look for its home."""
_LIVE_MS = 30_000
_ROOM, _SENDERS = 1_024, 4
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class Carried(msgspec.Struct, frozen=True):
    """A turn on its way to its home.

    `alone`: it goes to nobody but this recipient. `anew`: its origin began again, and has heard
    nothing of it since. `begun`: its origin is home now and knows that it was begun: what became
    of it?
    """

    parcel: routing.Parcel
    request: TurnRequest
    alone: bool = False
    anew: bool = False
    begun: bool = False


class Told(msgspec.Struct, frozen=True):
    """What happened in a turn, for the node where it was asked for.

    `number` counts the letters of a `run`; one that was told before is not told again.
    """

    turn: _Id
    conversation: _Id
    run: _Id
    number: int
    events: tuple[dict[str, Json], ...]


class Order(msgspec.Struct, frozen=True):
    """What a person said to a turn that runs elsewhere."""

    turn: _Id
    conversation: _Id
    what: Literal["approve", "stop"]
    call_id: str = ""
    answer: Answer = "no"
    reason: Annotated[str, msgspec.Meta(max_length=4_096)] = ""


Body = LeaseMessage | IntentMessage | Carried | Told | Order
_KINDS: dict[str, msgspec.json.Decoder[Body]] = {
    LEASE: msgspec.json.Decoder(LeaseMessage),
    INTENTS: msgspec.json.Decoder(IntentMessage),
    PARCEL: msgspec.json.Decoder(Carried),
    EVENTS: msgspec.json.Decoder(Told),
    CONTROL: msgspec.json.Decoder(Order),
}


def read_body(kind: str, data: bytes) -> Body | None:
    """What a letter says; None: nonsense."""
    try:
        body = _KINDS[kind].decode(data)
    except (msgspec.DecodeError, RecursionError):
        return None
    if isinstance(body, Carried):
        parcel, request = body.parcel, body.request
        same = (request.turn_id, request.conversation_id) == (parcel.id, parcel.conversation)
        fits = all(0 < len(one) <= 128 for one in (parcel.id, parcel.conversation))  # noqa: PLR2004 - as `_Id`
        if not same or not fits or request.private or not 0 <= parcel.hops <= routing.MOST_HOPS:
            return None
    return body


def read_events(told: Told) -> tuple[Event, ...]:
    """The events, without those that a newer node may know and we do not, or that are not its."""
    found = []
    for plain in told.events:
        try:
            event = from_plain(plain)
        except (msgspec.ValidationError, ValueError, KeyError, TypeError):
            continue
        if (event.turn_id, event.conversation_id) == (told.turn, told.conversation):
            found.append(event)
    return tuple(found)


class Mail:
    """Letters about homes; `run` must run while they are sent. `admits`: who is a member."""

    def __init__(self, post: Post, admits: Callable[[str], bool]) -> None:
        self.post = post
        self.admits = admits
        self._out, self._going = anyio.create_memory_object_stream[Letter](_ROOM)

    async def run(self) -> None:
        """Send what is for who listens now, until cancelled."""
        with self._out, self._going:
            async with anyio.create_task_group() as tasks:
                for _ in range(_SENDERS):
                    tasks.start_soon(self._send)

    async def _send(self) -> None:
        async for letter in self._going:
            await self.post.send_live(letter)

    def say(self, to: str, kind: str, body: Body, conversation: str = "") -> None:
        """Say it to who listens now; lost when that is nobody, or too much is to be said."""
        letter = Letter(to, kind, msgspec.json.encode(body), conversation, _LIVE_MS)
        try:
            self._out.send_nowait(letter)
        except (anyio.WouldBlock, anyio.BrokenResourceError, anyio.ClosedResourceError):
            return  # it is said again

    async def say_now(self, to: str, kind: str, body: Body) -> None:
        """Say it to who listens now; returns once it went."""
        await self.post.send_live(Letter(to, kind, msgspec.json.encode(body), "", _LIVE_MS))

    async def send(self, to: str, kind: str, body: Body, conversation: str, lane: str) -> str:
        """Send until it arrived; returns its id once it is on disk."""
        letter = Letter(to, kind, msgspec.json.encode(body), conversation, TTL_MS)
        return await self.post.send(letter, lane=lane)
