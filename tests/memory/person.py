"""A person's talk, put into a store through its public door, and a historian for it."""

import json
from collections.abc import Sequence
from pathlib import Path

from hermes.core.ids import CallId, Cid, ConversationId, SessionId, TurnId, uuid7
from hermes.core.message import Message, Part, Role, Text, ToolCall, ToolResult, block_of
from hermes.core.request import TurnRequest
from hermes.memory.historian import Historian
from hermes.memory.project import project_hash
from hermes.store.conversations import NewConversation
from hermes.store.store import Store

ROOT = "/no/such/project"
PROJECT = project_hash(Path(ROOT))


class Nobody:
    """No model."""

    async def worth_it(self) -> bool:
        return False

    async def ask(self, system: str, text: str, most_tokens: int) -> str | None:
        raise AssertionError("nobody was to be asked")


class Judge:
    """A model with one opinion."""

    def __init__(self, answer: str | None) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def worth_it(self) -> bool:
        return True

    async def ask(self, system: str, text: str, most_tokens: int) -> str | None:
        self.asked.append(text)
        return self.answer


def command(line: str, result: str = "exit code 0") -> tuple[str, str, str]:
    return ("Bash", json.dumps({"command": line}), result)


class Person:
    """Somebody in a conversation."""

    def __init__(self, store: Store, clock, root: str = ROOT, *, private: bool = False) -> None:
        self.store, self.clock, self.root, self.private = store, clock, root, private
        self.conversation = ConversationId(uuid7())
        self.session = SessionId(uuid7())
        self._parents: tuple[Cid, ...] = ()

    async def say(
        self,
        text: str,
        answer: str = "ok",
        calls: Sequence[tuple[str, str, str]] = (),
        typed: int = -1,
    ) -> TurnId:
        turn = TurnId(uuid7())
        first = self._message(turn, "user", Text(text))
        request = TurnRequest(
            turn_id=turn, text=text, cwd=self.root, root=self.root,
            conversation_id=self.conversation, typed=typed,
        )  # fmt: skip
        new = None
        if not first.parents:
            new = NewConversation(self.conversation, self.root, private=self.private)
        await self.store.turns.begin(request, [first], new=new)
        more = []
        for name, arguments, result in calls:
            call = CallId(uuid7())
            more.append(self._message(turn, "assistant", ToolCall(call, name, arguments)))
            more.append(self._message(turn, "tool", ToolResult(call, name, result)))
        more.append(self._message(turn, "assistant", Text(answer)))
        await self.store.turns.finish(turn, "finished", text=answer, messages=more)
        return turn

    async def leave(self) -> None:
        await self.store.conversations.close_session(self.session, self.clock.now_ms())

    async def return_(self) -> None:
        self.session = await self.store.conversations.open_session(
            self.conversation, self.clock.now_ms()
        )

    def _message(self, turn: TurnId, role: Role, part: Part) -> Message:
        made = Message(
            conversation=self.conversation, session=self.session, turn=turn, role=role,
            parts=(part,), at=self.clock.now_ms(), node=self.store.node, salt=uuid7(),
            parents=self._parents,
        )  # fmt: skip
        self._parents = (block_of(made).cid,)
        return made


async def said(store: Store, clock, *texts: str, root: str = ROOT) -> Person:
    """A conversation of these texts, and its end."""
    person = Person(store, clock, root)
    for text in texts:
        await person.say(text)
    await person.leave()
    return person


async def promote(store: Store, clock, aside=None) -> None:
    await Historian(store, clock, aside or Nobody(), 10).run(60)


async def known(store: Store, project: str = PROJECT) -> set[str]:
    return {memory.content for memory in await store.memory.list(project, 1_000)}
