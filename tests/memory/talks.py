"""Long conversations for the tests of compaction."""

import secrets

import anyio
import anyio.lowlevel
import msgspec

from hermes.conversation.session import Session, View
from hermes.core.clock import SystemClock
from hermes.core.ids import CallId, ConversationId, NodeId, SessionId, TurnId, uuid7
from hermes.core.message import Text, ToolCall, ToolResult
from hermes.prompt.builder import Frame, build

FRAME = Frame((), ())


class Conversation:
    """A session that grows, with nothing behind it."""

    def __init__(self, *, private: bool = False) -> None:
        self.session = Session(
            conversation=ConversationId(uuid7()),
            node=NodeId(uuid7()),
            id=SessionId(uuid7()),
            root="/project",
            private=private,
            messages=[],
            heads=(),
        )
        self.view = View(key="m\nfull\n")
        self.turn = TurnId(uuid7())

    def _say(self, role, *parts):
        message = self.session.write(SystemClock(), self.turn, role, parts)
        self.session.stored(message)

    def ask(self, text: str) -> None:
        self.turn = TurnId(uuid7())
        self._say("user", Text(text))

    def answer(self, text: str) -> None:
        self._say("assistant", Text(text))

    def step(self, name="FileRead", result="r" * 2_000, said="", *, ok=True, **arguments):
        call = ToolCall(CallId(secrets.token_hex(4)), name, msgspec.json.encode(arguments).decode())
        self._say("assistant", *([Text(said)] if said else []), call)
        self._say("tool", ToolResult(call.id, name, result, ok=ok))

    def prompt(self, window: int):
        return build(
            FRAME, self.session.messages, window=window, scale=self.view.scale, cut=self.view.cut
        )

    def shown(self, window: int) -> str:
        return "\n".join(message.content for message in self.prompt(window).request.messages)


async def settled(compactor) -> None:
    """Return once nothing is being prepared."""
    with anyio.fail_after(20):
        while any(slot.planning or slot.asking for slot in compactor._slots.values()):
            await anyio.lowlevel.checkpoint()


async def taken(compactor, talk: Conversation):
    """What is ready, once a large result nearly fills the window."""
    await settled(compactor)
    talk.step(result="p" * 6_000, path="pressing")
    return compactor.take(talk.session, talk.view)
