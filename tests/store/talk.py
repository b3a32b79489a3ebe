"""Messages and conversations for the store's tests."""

from hermes.core.ids import (
    CallId,
    Cid,
    ConversationId,
    NodeId,
    SessionId,
    TurnId,
    uuid7,
)
from hermes.core.message import Message, Role, Text, block_of
from hermes.core.request import TurnRequest
from hermes.store.store import Store

CALL = CallId("call-1")


def message(
    text: str,
    conversation: ConversationId,
    parents: tuple[Cid, ...] = (),
    role: Role = "user",
    turn: str = "turn",
) -> Message:
    return Message(
        conversation=conversation,
        session=SessionId("session"),
        turn=TurnId(turn),
        role=role,
        parts=(Text(text),),
        at=1_700_000_000_000,
        node=NodeId("node"),
        salt=uuid7(),
        parents=parents,
    )


def chain(conversation: ConversationId, *texts: str, parents: tuple[Cid, ...] = ()):
    made = []
    for text in texts:
        made.append(message(text, conversation, parents))
        parents = (block_of(made[-1]).cid,)
    return made


async def conversation(store: Store, *texts: str, root: str = "/root") -> ConversationId:
    made = ConversationId(uuid7())
    await store.conversations.create(conversation=made, title="", root=root, private=False)
    if texts:
        await store.conversations.append(*chain(made, *texts))
    return made


def request(text: str = "hello", turn: str = "") -> TurnRequest:
    return TurnRequest(
        turn_id=TurnId(turn or uuid7()), text=text, cwd="/root", root="/root", api_key="secret"
    )


async def act(store: Store, made: ConversationId) -> None:
    """A file was written, and a command asked for."""
    entry = await store.journal.intend(
        turn=TurnId("turn"), conversation=made, call=CallId("call"), tool="FileWrite",
        arguments="{}", changes=[("/file", b"before", b"after")],
    )  # fmt: skip
    await store.journal.outcome(entry, ok=True, text="done")
    await store.approvals.ask(
        call_id=CallId("call"), turn=TurnId("turn"), conversation=made, tool="Bash",
        arguments="{}", rule="Bash(ls:*)", at=7,
    )  # fmt: skip
