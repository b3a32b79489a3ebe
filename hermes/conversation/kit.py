"""What a turn needs from the rest of the house, handed in by `node`."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from hermes.config import Limits
from hermes.conversation.approvals import Approvals
from hermes.conversation.bus import Bus
from hermes.conversation.export import Surroundings, nowhere
from hermes.conversation.session import Session, View
from hermes.core.clock import Clock
from hermes.core.ids import ConversationId
from hermes.core.model import ToolSpec
from hermes.core.request import Profile, TurnRequest
from hermes.models.model import Model
from hermes.policy.gate import Gate
from hermes.prompt.budget import Cut
from hermes.prompt.builder import Prompt
from hermes.prompt.sections import Section
from hermes.store.store import Store
from hermes.tools.router import Router


class Models(Protocol):
    """Finds the model that a request names."""

    async def open(self, request: TurnRequest, session: Session) -> Model:
        """Return the model, ready to stream; raises ModelError or Usage."""
        ...

    def named(self, request: TurnRequest) -> str:
        """What the person would call the model that a request names."""
        ...


class Opening(Protocol):
    """Writes the fixed part of a prompt: soul, skin, markers, tools."""

    async def sections(
        self, profile: Profile, request: TurnRequest, session: Session
    ) -> tuple[Section, ...]:
        """The system block's sections."""
        ...

    def tools(self, profile: Profile, sections: Sequence[Section]) -> tuple[ToolSpec, ...]:
        """What is offered to a model of this profile, beside what the sections tell of."""
        ...


class Compaction(Protocol):
    """Prepares shorter views of long conversations aside, so that no turn waits for one."""

    def note(self, session: Session, view: View, prompt: Prompt, model: Model) -> None:
        """Hear of a model call that has just been answered."""
        ...

    def take(self, session: Session, view: View) -> Cut | None:
        """What was prepared on the very messages and the very cut that the view has now."""
        ...

    async def restore(self, session: Session, view: View, window: int) -> None:
        """Give a new view what was cut before, by this or an earlier owner."""
        ...


class Recollection(Protocol):
    """What memory brings to turns."""

    async def look(self, session: Session, request: TurnRequest, profile: Profile) -> None:
        """Set `session.recalled` for this turn, once and for good; never fails."""
        ...

    async def opening(self, session: Session, profile: Profile) -> tuple[str, ...]:
        """The marker lines that the conversation begins with; changes nothing."""
        ...


@dataclass(frozen=True)
class Kit:
    """The parts of the owner that a conversation works with."""

    store: Store
    bus: Bus
    approvals: Approvals
    router: Callable[[TurnRequest, Model], Router]
    gate: Callable[[TurnRequest, Session], Awaitable[Gate]]
    models: Models
    recollection: Recollection
    opening: Opening
    clock: Clock
    limits: Limits
    report: Callable[[str, BaseException], None]
    """Writes a bug down where a developer finds it."""
    news: Callable[[ConversationId], tuple[str, ...]]
    """What a person should be told as a turn begins, each thing once a conversation."""
    compaction: Compaction
    surroundings: Callable[[], Surroundings] = nowhere
    """What an exported session says of settings and tools."""
