"""One stretch of a conversation in this owner: its messages, heads and what the turns share.

The store holds the truth; this is the copy that a turn reads without touching the disk.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

from hermes.conversation.export import Surroundings, exported, nowhere
from hermes.core.clock import Clock
from hermes.core.ids import CallId, Cid, ConversationId, NodeId, SessionId, TurnId
from hermes.core.message import Message, Part, Role, block_of
from hermes.core.request import TurnRequest
from hermes.core.tool import FileStates
from hermes.models.model import Model
from hermes.prompt.budget import Cut, Scale
from hermes.prompt.sections import Section
from hermes.store.store import Store


@dataclass
class View:
    """What a model is shown: the fixed sections, what was cut, and the model's scale.

    `key` names it among the views of its session.
    """

    sections: tuple[Section, ...] = ()
    cut: Cut = field(default_factory=Cut)
    scale: Scale = field(default_factory=lambda: Scale(3.0))
    key: str = ""


def view_key(model: Model, request: TurnRequest) -> str:
    """Which view of a session a model is shown: models, profiles and skins differ in theirs."""
    return f"{model.name}\n{model.profile}\n{request.skin}"


@dataclass(frozen=True)
class Brought:
    """What memory brought to one turn: the lines that the model is shown, and of which memories."""

    lines: tuple[str, ...] = ()
    memories: tuple[int, ...] = ()


@dataclass(frozen=True)
class LastCall:
    """How the newest model call went: tokens, and tokens generated a second."""

    model: str
    window: int
    used: int
    cached: int
    tokens_per_s: float


@dataclass
class Session:
    """A conversation while it is open here."""

    conversation: ConversationId
    node: NodeId
    id: SessionId
    root: str
    private: bool
    messages: list[Message]
    heads: tuple[Cid, ...]
    new: bool = False  # nothing of it is stored yet
    unclosed: bool = False  # the store may hold a turn of it that has not ended
    continues: SessionId | None = None  # the interrupted session that this one goes on with
    files: FileStates = field(default_factory=FileStates)
    views: dict[str, View] = field(default_factory=dict)
    rules: list[str] = field(default_factory=list)
    busy: dict[CallId, str] = field(default_factory=dict)  # tools that run now
    told: set[str] = field(default_factory=set)  # notes that the person has seen
    last: LastCall | None = None
    recalled: dict[TurnId, Brought] | None = None  # None: the store was not asked yet
    surroundings: Callable[[], Surroundings] = nowhere

    @property
    def opening(self) -> TurnId:
        """The conversation's first turn; empty before it."""
        return self.messages[0].turn if self.messages else TurnId("")

    def lines(self) -> dict[TurnId, tuple[str, ...]]:
        """What stands before the person's words; the first turn's stand in the system block."""
        known = self.recalled or {}
        return {turn: b.lines for turn, b in known.items() if b.lines and turn != self.opening}

    def export(self) -> bytes:
        """Everything that a clone of this runtime needs to go on from here, as JSON; no secrets."""
        return exported(self.conversation, self.heads, self.messages, self.surroundings())

    def write(
        self, clock: Clock, turn: TurnId, role: Role, parts: tuple[Part, ...], raw: str = ""
    ) -> Message:
        """Make the conversation's next message; it is not stored yet."""
        return Message(
            conversation=self.conversation,
            session=self.id,
            turn=turn,
            role=role,
            parts=parts,
            at=clock.now_ms(),
            node=self.node,
            salt=secrets.token_hex(8),
            parents=self.heads,
            raw=raw,
        )

    def stored(self, message: Message) -> None:
        """Take note that a message is durable: it is the head now."""
        self.messages.append(message)
        self.heads = (block_of(message).cid,)

    async def append(self, store: Store, message: Message) -> None:
        """Store a message; durable when this returns, and known here whoever cancels."""
        with anyio.CancelScope(shield=True):
            await store.conversations.append(message)
            self.stored(message)

    def of_turn(self, turn: TurnId) -> list[Message]:
        """The messages of one turn, oldest first."""
        return [message for message in self.messages if message.turn == turn]
