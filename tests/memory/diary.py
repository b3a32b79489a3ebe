"""Days of work written through the store's public door, with a clock that is set by hand."""

import json

from hermes.core.ids import CallId, ConversationId, SessionId, TurnId, uuid7
from hermes.core.message import Message, Text, ToolCall, ToolResult, block_of
from hermes.core.request import TurnRequest
from hermes.store.conversations import NewConversation
from hermes.store.store import Store

NOON = 1_700_006_400_000
DAY = 86_400_000


class HandClock:
    """Time that a test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def now_ms(self) -> int:
        self.now += 1
        return self.now


class Diary:
    """Sessions of one project; every call is journaled, as the loop does it."""

    def __init__(self, store: Store, clock: HandClock, root: str = "/home/pat/shop") -> None:
        self.store = store
        self.clock = clock
        self.root = root

    async def day(self, number: int, *turns, private: bool = False) -> ConversationId:
        """One session on a day: each turn is the person's words and what was called."""
        self.clock.now = NOON + number * DAY
        conversation, session, parents = ConversationId(uuid7()), SessionId(uuid7()), ()
        new = NewConversation(conversation, self.root, "", private)
        for text, *calls in turns:
            parents = await self._turn((conversation, session, parents), text, calls, new)
            new = None
        return conversation

    async def _turn(self, where, text, calls, new):
        turn, store = TurnId(uuid7()), self.store
        parents = where[2]

        def write(role, parts):
            nonlocal parents
            made = Message(
                where[0], where[1], turn, role, parts, self.clock.now_ms(), store.node, uuid7(),
                parents,
            )  # fmt: skip
            parents = (block_of(made).cid,)
            return made

        request = TurnRequest(turn_id=turn, text=text, cwd=self.root, root=self.root)
        await store.turns.begin(request, (write("user", (Text(text),)),), new=new)
        for call in calls:
            await self._call(where[0], turn, call, write)
        final = write("assistant", (Text("Done."),))
        await store.turns.finish(turn, "finished", text="Done.", messages=(final,))
        return parents

    async def _call(self, conversation, turn, call, write):
        store, identity = self.store, CallId(uuid7())
        arguments = json.dumps(call.arguments)
        await store.conversations.append(
            write("assistant", (ToolCall(identity, call.tool, arguments),))
        )
        if call.answer:
            await store.approvals.ask(
                call_id=identity, turn=turn, conversation=conversation, tool=call.tool,
                arguments=arguments, rule=call.rule, at=self.clock.now_ms(),
            )  # fmt: skip
            await store.approvals.answer(identity, call.answer, "pat")
        if call.writes:
            entry = await store.journal.intend(
                turn=turn, conversation=conversation, call=identity, tool=call.tool,
                arguments=arguments,
            )  # fmt: skip
            await store.journal.outcome(entry, ok=call.ok, text=call.result)
        result = ToolResult(identity, call.tool, call.result, call.ok)
        await store.conversations.append(write("tool", (result,)))


class Did:
    """One call and what came of it."""

    def __init__(self, tool, answer="yes", *, rule="", result="exit code 0", ok=True, **arguments):
        self.tool, self.answer, self.rule = tool, answer, rule
        self.result, self.ok, self.arguments = result, ok, arguments
        self.writes = tool not in {"FileRead", "Grep"}


def bash(command, answer="yes", **more) -> Did:
    return Did("Bash", answer, command=command, **more)


def edit(path, answer="yes") -> Did:
    return Did("FileEdit", answer, path=path, old="a", new="b", result="changed 1")
