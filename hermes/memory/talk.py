"""A conversation as compaction sees it: what `conversation` has, said from below it."""

from collections.abc import Sequence
from typing import Protocol

from hermes.core.ids import Cid, ConversationId, NodeId
from hermes.core.message import Message
from hermes.prompt.budget import Cut, Scale


class Talk(Protocol):
    """An open conversation (`conversation.session.Session`)."""

    @property
    def conversation(self) -> ConversationId:
        """Its id."""
        ...

    @property
    def messages(self) -> Sequence[Message]:
        """Everything that was said, oldest first."""
        ...

    @property
    def heads(self) -> tuple[Cid, ...]:
        """The newest blocks; each names all that came before."""
        ...

    @property
    def node(self) -> NodeId:
        """Which node this is."""
        ...

    @property
    def private(self) -> bool:
        """Whether nothing may be derived from it."""
        ...


class Shown(Protocol):
    """What a model is shown of it (`conversation.session.View`)."""

    cut: Cut
    scale: Scale

    @property
    def key(self) -> str:
        """Which view of the conversation it is."""
        ...


def prefix(session: Talk, covers: int) -> str:
    """Names the first `covers` messages: a block's CID is a digest of all before it, too."""
    if not 0 < covers <= len(session.messages):
        return ""
    after = session.messages[covers].parents if covers < len(session.messages) else session.heads
    return "+".join(after)
