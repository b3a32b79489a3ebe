"""A door without an owner behind it: turns are scripts, answers a table, calls are recorded."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

import anyio

from hermes.core.event import Answer, Event, Json
from hermes.core.ids import CallId, ConversationId
from hermes.core.request import TurnRequest

Script = Callable[["ScriptedDoor", TurnRequest], AsyncIterator[Event]]
"""One turn: yields its events, and may wait on the door (`answered`, `stopped`)."""


@dataclass(frozen=True)
class ScriptedHello:
    """How the scripted owner introduces itself."""

    pid: int = 1
    version: str = "0.1.0"
    store: str = "/nowhere/hermes.db"
    model: str = "scripted"
    owner_is_us: bool = True


class ScriptedDoor:
    """Plays `turns` in order; `answers` maps query names to data or a function of arguments.

    An answer that is an exception is raised. `requests`, `queries` and `approvals` record
    what was asked; `others` are the events that `watch` delivers.
    """

    def __init__(
        self,
        turns: Sequence[Script] = (),
        answers: Mapping[str, Json] | None = None,
        status: Mapping[str, Json] | None = None,
        hello: ScriptedHello | None = None,
    ) -> None:
        self.hello = hello or ScriptedHello()
        self.requests: list[TurnRequest] = []
        self.queries: list[tuple[str, dict[str, Json]]] = []
        self.approvals: list[tuple[CallId, Answer, str]] = []
        self.stopped = anyio.Event()
        self.others: list[Event] = []
        self.watching = anyio.Event()
        self._turns = list(turns)
        self._answers = dict(answers or {})
        self._status = dict(status or {})
        self._answered: dict[CallId, anyio.Event] = {}
        self._taken: set[CallId] = set()

    @asynccontextmanager
    async def turn(self, request: TurnRequest, /) -> AsyncGenerator[AsyncIterator[Event]]:
        """Play the next script."""
        self.requests.append(request)
        yield self._turns.pop(0)(self, request)

    @asynccontextmanager
    async def watch(
        self, conversation: ConversationId, /, *, interactive: bool = False
    ) -> AsyncGenerator[AsyncIterator[Event]]:
        """Deliver `others` that belong to the conversation, then wait for ever."""
        self.queries.append(("watch", {"conversation": conversation, "interactive": interactive}))
        async with aclosing(self._others(conversation)) as events:
            yield events

    async def approve(self, call_id: CallId, answer: Answer, reason: str = "", /) -> bool:
        """Record an answer; False when `take` was called before."""
        if call_id in self._taken:
            return False
        self.approvals.append((call_id, answer, reason))
        self._event(call_id).set()
        return True

    def take(self, call_id: CallId) -> None:
        """Let somebody else have answered."""
        self._taken.add(call_id)

    async def answered(self, call_id: CallId) -> Answer:
        """Wait until this front end answered."""
        await self._event(call_id).wait()
        return next(answer for call, answer, _ in self.approvals if call == call_id)

    async def stop(self, conversation: ConversationId, /) -> bool:
        """Record that the turn was stopped."""
        self.queries.append(("stop", {"conversation": conversation}))
        self.stopped.set()
        return True

    async def status(self, conversation: ConversationId = ConversationId(""), /) -> dict[str, Json]:  # noqa: B008 - a str
        """The given status."""
        self.queries.append(("status", {"conversation": conversation}))
        return self._status

    async def query(self, name: str, /, **arguments: Json) -> Json:
        """Answer from the table; an unknown name is a KeyError."""
        self.queries.append((name, arguments))
        answer = self._answers[name]
        if isinstance(answer, Exception):
            raise answer
        return answer(**arguments) if callable(answer) else answer

    def asked(self, name: str) -> list[dict[str, Json]]:
        """The arguments of every query of this name."""
        return [arguments for asked, arguments in self.queries if asked == name]

    async def _others(self, conversation: ConversationId) -> AsyncGenerator[Event]:
        for event in self.others:
            if event.conversation_id == conversation:
                yield event
        self.watching.set()
        await anyio.sleep_forever()

    def _event(self, call_id: CallId) -> anyio.Event:
        return self._answered.setdefault(call_id, anyio.Event())
