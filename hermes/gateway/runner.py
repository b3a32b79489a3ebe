"""What another program can ask of the runtime: seven tools over one door, whatever the protocol.

The same door as every front end's. A caller can only narrow what the person who started the
server allowed: a mode is never laxer than theirs, models and directories are theirs alone.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import anyio
import msgspec

from hermes.core.event import Answer, Event, Json, TurnFailed, TurnFinished, to_plain
from hermes.core.ids import CallId, ConversationId, TurnId, is_uuid, uuid7
from hermes.core.request import TurnRequest
from hermes.core.tool import Mode
from hermes.errors import OwnerGone, Usage
from hermes.gateway.export import to_markdown
from hermes.gateway.terminal_door import Door

Tell = Callable[[Event], Awaitable[None]]
"""Is told every event of a turn, in order, before the call is answered."""

_STRICT: tuple[Mode, ...] = ("read-only", "ask", "auto")
_STOP_S = 2.0
_Text = Annotated[str, msgspec.Meta(min_length=1)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**31)]


class _Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of a tool."""


class Chat(_Ask, frozen=True):
    """Run one turn to its end. Its events (docs/events.md) come as progress notifications."""

    text: _Text
    conversation_id: str = ""
    turn_id: Annotated[str, msgspec.Meta(description="a UUID: asking twice is asking once")] = ""
    mode: Annotated[
        Mode | Literal[""], msgspec.Meta(description="stricter than the server's, never laxer")
    ] = ""
    interactive: Annotated[
        bool, msgspec.Meta(description="approvals wait for runner.approve, else they are no")
    ] = False
    private: bool = False
    max_steps: _Count = 0
    script: Annotated[str, msgspec.Meta(description="a file of the server's --scripts")] = ""


class Approve(_Ask, frozen=True):
    """Answer an approval that a turn waits for; `first` says whether this answer counted."""

    call_id: _Text
    answer: Answer
    reason: str = ""


class Stop(_Ask, frozen=True):
    """Stop a conversation's running turn; `stopped` is false when none ran."""

    conversation_id: _Text


class History(_Ask, frozen=True):
    """Messages of a conversation, oldest first; without one, the conversations, newest first."""

    conversation_id: str = ""
    offset: _Count = 0
    limit: _Count = 50


class Export(_Ask, frozen=True):
    """A whole conversation, to import again (json) or to read (markdown)."""

    conversation_id: _Text
    format: Literal["json", "markdown"] = "json"


class Search(_Ask, frozen=True):
    """Messages that contain all of the words, newest first."""

    query: str
    conversation_id: str = ""
    limit: _Count = 20


class Status(_Ask, frozen=True):
    """What the runtime does right now."""

    conversation_id: str = ""


TOOLS: Mapping[str, type[_Ask]] = {
    "runner.chat": Chat,
    "runner.approve": Approve,
    "runner.stop": Stop,
    "runner.history": History,
    "runner.export": Export,
    "runner.search": Search,
    "runner.status": Status,
}


@dataclass(frozen=True)
class Runner:
    """Answers calls. `order` is what each turn starts from; `scripts` a folder for tests."""

    door: Door
    order: TurnRequest
    scripts: Path | None = None

    async def call(self, name: str, arguments: Mapping[str, Json], tell: Tell) -> dict[str, Json]:
        """Run a tool; raises Usage for what cannot be asked, HermesError as the door does."""
        kind = TOOLS.get(name)
        if kind is None:
            raise Usage(f"no tool is called {name!r}", f"there are {', '.join(TOOLS)}")
        try:
            asked = msgspec.convert(arguments, kind)
        except msgspec.ValidationError as error:
            raise Usage(f"{name}: {error}") from error
        return await self._answer(asked, tell)

    async def _answer(self, asked: _Ask, tell: Tell) -> dict[str, Json]:
        found: dict[str, Json]
        match asked:
            case Chat():
                found = await self._chat(asked, tell)
            case Approve():
                first = await self.door.approve(CallId(asked.call_id), asked.answer, asked.reason)
                found = {"first": first}
            case Stop():
                found = {"stopped": await self._stop(asked.conversation_id)}
            case History():
                found = await self._history(asked)
            case Export():
                found = await self._export(asked)
            case Search():
                where = {"conversation": asked.conversation_id} if asked.conversation_id else {}
                hits = await self.door.query(
                    "conversations.search", query=asked.query, limit=asked.limit, **where
                )
                found = {"hits": hits}
            case _:
                place = getattr(asked, "conversation_id", "")
                found = await self.door.status(ConversationId(place))
        return found

    async def _chat(self, asked: Chat, tell: Tell) -> dict[str, Json]:
        request = self._request(asked)
        final: Event | None = None
        over = False
        try:
            async with self.door.turn(request) as events:
                async for final in events:
                    await tell(final)
            over = True
            if request.interactive and final:
                await self._leave(final.conversation_id)
        finally:
            place = final.conversation_id if final else request.conversation_id
            if not over and place:  # whoever asked wants no answer any more
                with anyio.move_on_after(_STOP_S, shield=True):
                    await self._stop(place)
        return _told(final)

    def _request(self, asked: Chat) -> TurnRequest:
        if asked.turn_id and not is_uuid(asked.turn_id):
            raise Usage(f"{asked.turn_id!r} is no UUID in lower case")
        mode = asked.mode or self.order.mode
        if _STRICT.index(mode) > _STRICT.index(self.order.mode):
            raise Usage(
                f"the mode {mode} is laxer than the server's, {self.order.mode}",
                "start the server with --mode",
            )
        return msgspec.structs.replace(
            self.order,
            turn_id=TurnId(asked.turn_id or uuid7()),
            text=asked.text,
            conversation_id=ConversationId(asked.conversation_id),
            mode=mode,
            interactive=asked.interactive,
            private=asked.private or self.order.private,
            max_steps=min(filter(None, (asked.max_steps, self.order.max_steps)), default=0),
            model=self._model(asked.script),
            typed=0,  # it comes from a program: nobody vouches for it
        )

    def _model(self, script: str) -> str:
        if not script:
            return self.order.model
        if self.scripts is None:
            raise Usage("this server plays no scripts", "start it with --scripts DIR")
        if script != Path(script).name or script.startswith("."):
            raise Usage(f"{script!r} is no plain file name")
        return f"scripted:{self.scripts / script}"

    async def _leave(self, conversation: ConversationId) -> None:
        """The next turn may have nobody who answers: its approvals must not wait for us."""
        async with self.door.watch(conversation):
            pass

    async def _stop(self, conversation: str) -> bool:
        return await self.door.stop(ConversationId(conversation))

    async def _history(self, asked: History) -> dict[str, Json]:
        if not asked.conversation_id:
            found = await self.door.query(
                "conversations.list", limit=asked.limit, offset=asked.offset
            )
            return {"conversations": found}
        shown = await self.door.query("conversations.show", id=asked.conversation_id)
        messages = shown.pop("messages")
        page = messages[asked.offset : asked.offset + asked.limit]
        return {"conversation": shown, "total": len(messages), "messages": page}

    async def _export(self, asked: Export) -> dict[str, Json]:
        found = await self.door.query("conversations.export", id=asked.conversation_id)
        if asked.format == "json":
            return {"conversation": found}
        return {"markdown": to_markdown(found)}


def _told(final: Event | None) -> dict[str, Json]:
    """The end of a turn as a call's result."""
    match final:
        case TurnFinished():
            plain: dict[str, Any] = to_plain(final)
            return {"ok": True} | plain
        case TurnFailed():
            return {"ok": False} | to_plain(final)
    raise OwnerGone("the turn ended without an answer", "ask for it again under its turn_id")
