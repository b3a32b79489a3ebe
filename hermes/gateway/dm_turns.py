"""One message as one turn: asked through the door, listened to until its end."""

from collections.abc import Awaitable, Callable
from pathlib import PurePath

from hermes.core.event import (
    ApprovalAnswered,
    ApprovalAsked,
    Event,
    Json,
    Notice,
    ToolCalled,
    ToolFinished,
    TurnFailed,
    TurnFinished,
    TurnStarted,
)
from hermes.core.ids import CallId, ConversationId, TurnId
from hermes.core.request import TurnRequest
from hermes.errors import HermesError, OwnerGone
from hermes.gateway import dm_say
from hermes.gateway.dm_asking import Asking
from hermes.gateway.dm_words import unslashed
from hermes.gateway.terminal_door import Door
from hermes.store.dms import Received
from hermes.store.pairings import Desk

Hear = Callable[[Event], Awaitable[None]]
_DOOR = {"OwnerGone", "DoorError", "ProtocolMismatch", "StoreOwned"}


def is_gone(error: HermesError) -> bool:
    """Whether no owner is behind the door: what was asked is asked again after the next start."""
    return isinstance(error, OwnerGone) or getattr(error, "kind", "") in _DOOR


def turn_named(message: str) -> TurnId:
    """A message's turn: the same however often the message comes (RFC 9562 §5.8)."""
    text = f"{message[:12]}8{message[13:16]}8{message[17:32]}"
    parts = (text[:8], text[8:12], text[12:16], text[16:20], text[20:])
    return TurnId("-".join(parts))


def request_of(message: Received, desk: Desk) -> TurnRequest:
    """What is asked of the owner; what a person did not type nobody vouches for."""
    return TurnRequest(
        turn_id=turn_named(message.id),
        text=unslashed(message.text) if message.kind == "turn" else message.text,
        cwd=desk.cwd,
        root=desk.root,
        conversation_id=desk.conversation,
        interactive=True,
        typed=0 if message.kind == "file" else -1,
    )


class Told:
    """Listens to a turn; `texts` is what there is to say at its end."""

    def __init__(
        self,
        began: Callable[[ConversationId], Awaitable[None]],
        notice: Callable[[str], Awaitable[None]],
        asking: Asking,
    ) -> None:
        self._began = began
        self._notice = notice
        self._asking = asking
        self._paths: dict[CallId, str] = {}
        self._files: dict[str, None] = {}
        self.texts: list[str] = []

    async def run(self, door: Door, request: TurnRequest) -> None:
        """Run the turn; raises OwnerGone when the door closed before its end, else HermesError."""
        async with door.turn(request) as events:
            async for event in events:
                await self._hear(event)
        if not self.texts:
            raise OwnerGone("the turn's end was not told")

    async def _hear(self, event: Event) -> None:
        match event:
            case TurnStarted():
                await self._began(event.conversation_id)
            case ToolCalled(effect="write"):
                self._paths[event.call_id] = _path_in(event.arguments)
            case ToolFinished(ok=True, denied=False) if path := self._paths.get(event.call_id):
                self._files[path] = None
            case ApprovalAsked():
                await self._asking.ask(event)
            case ApprovalAnswered():
                await self._asking.answered(event)
            case Notice():
                await self._notice(event.text)
            case TurnFinished():
                self._asking.over(event.turn_id)
                self.texts = dm_say.answer(event, list(self._files))
            case TurnFailed(kind=kind) if kind in _DOOR:
                raise OwnerGone(event.error, event.remedy)
            case TurnFailed():
                self._asking.over(event.turn_id)
                self.texts = [dm_say.failure(event)]
            case _:
                pass


def _path_in(arguments: Json) -> str:
    path = arguments.get("path") if isinstance(arguments, dict) else None
    return str(PurePath(path)) if isinstance(path, str) else ""
