"""Writes a made-up past into a store, by the calls that an owner makes for real turns."""

from collections.abc import Sequence

import anyio

from hermes.core.ids import CallId, Cid, ConversationId, SessionId, TurnId, uuid7
from hermes.core.message import Message, Part, Role, Text, ToolCall, ToolResult, block_of
from hermes.core.request import TurnRequest
from hermes.store.conversations import NewConversation
from hermes.store.store import Store
from hermes.testing.history.values import Exchange, History, Session

_AT_ONCE = 128  # sessions written side by side: the store commits them as groups
_TURN_MS = 20_000


class Dial:
    """A clock that stands where it is set."""

    def __init__(self, now: int = 0) -> None:
        self.now = now

    def now_ms(self) -> int:
        """The time it was set to."""
        return self.now


def root_of(project: int) -> str:
    """The directory of a made-up project; it does not exist."""
    return f"/made-up/project-{project:03d}"


async def keep(store: Store, dial: Dial, past: History) -> None:
    """Write every session, oldest first, and set the clock to the past's end.

    Args:
        store: opened with `dial` as its clock.
        dial: stands at the time of what is written.
        past: what is written.
    """
    for some in _batched(past.sessions):
        dial.now = some[-1].at
        async with anyio.create_task_group() as tasks:
            for session in some:
                tasks.start_soon(_keep, store, session)
    dial.now = past.now


def _batched(sessions: Sequence[Session]) -> list[Sequence[Session]]:
    return [sessions[i : i + _AT_ONCE] for i in range(0, len(sessions), _AT_ONCE)]


async def _keep(store: Store, session: Session) -> None:
    writer = _Writer(store, session)
    for number, exchange in enumerate(session.turns):
        await writer.turn(exchange, session.at + number * _TURN_MS)
    if session.closed:
        end = session.at + len(session.turns) * _TURN_MS
        await store.conversations.close_session(writer.session, end)


class _Writer:
    """One conversation as it grows."""

    def __init__(self, store: Store, session: Session) -> None:
        self._store = store
        self._root = root_of(session.project)
        self._private = session.private
        self._conversation = ConversationId(uuid7())
        self.session = SessionId(uuid7())
        self._parents: tuple[Cid, ...] = ()

    async def turn(self, exchange: Exchange, at: int) -> None:
        """Begin and finish one turn."""
        turn = TurnId(uuid7())
        first = self._message(turn, "user", (Text(exchange.text),), at)
        new = None
        if not first.parents:
            new = NewConversation(self._conversation, self._root, private=self._private)
        request = TurnRequest(
            turn_id=turn,
            text=exchange.text,
            cwd=self._root,
            root=self._root,
            conversation_id=self._conversation,
            interactive=True,
        )
        await self._store.turns.begin(request, (first,), new=new)
        rest: list[Message] = []
        for number, call in enumerate(exchange.calls):
            name = CallId(f"call_{number}")
            asked = ToolCall(name, call.name, call.arguments)
            rest.append(self._message(turn, "assistant", (asked,), at + 1000 + number))
            told = ToolResult(name, call.name, call.result, ok=call.ok)
            rest.append(self._message(turn, "tool", (told,), at + 1000 + number))
        rest.append(self._message(turn, "assistant", (Text(exchange.answer),), at + 2000))
        await self._store.turns.finish(turn, "finished", text=exchange.answer, messages=rest)

    def _message(self, turn: TurnId, role: Role, parts: tuple[Part, ...], at: int) -> Message:
        message = Message(
            conversation=self._conversation,
            session=self.session,
            turn=turn,
            role=role,
            parts=parts,
            at=at,
            node=self._store.node,
            salt=uuid7(),
            parents=self._parents,
        )
        self._parents = (block_of(message).cid,)
        return message
