"""Compaction as a service: shorter views of long conversations, prepared while turns go on.

A turn tells of each model call and takes what is ready; it never waits. What is ready holds
only for the very messages and the very cut that it was made on, and only when it shrinks.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import anyio
import anyio.to_thread
import msgspec
from anyio.abc import TaskGroup

from hermes.core.ids import ConversationId, NodeId, TurnId
from hermes.core.message import Message
from hermes.errors import HermesError
from hermes.memory.digest import Typed
from hermes.memory.planning import SOFT, Part, Plan, Told, plan_cut, retold
from hermes.memory.summary import Summariser
from hermes.memory.talk import Shown, Talk, prefix
from hermes.models.model import Model
from hermes.prompt.budget import Cut, Scale, size_of
from hermes.prompt.builder import Prompt, chat_messages
from hermes.store.views import StoredView, Views

_PRESSED = 0.9  # so full the room would be when a view is swapped in: each costs the prefix
_PROGRESS = 16  # a pass has to win a sixteenth of the room
_WORTH_BYTES = 3_000  # newly left out, or an eighth of the room, before a model is asked
_WORTH_SHARE = 8
_SLOTS = 200  # conversations that are known at a time


class _Job(NamedTuple):
    """A conversation as it was when a view of it was wanted."""

    messages: tuple[Message, ...]
    prefix: str
    base: Cut
    room: int
    shown: int
    model: Model
    node: NodeId


@dataclass
class _Ready:
    """A view to be taken, and the plan that it follows."""

    job: _Job
    plan: Plan
    cut: Cut
    typed: Typed


@dataclass
class _Slot:
    """What is known of one conversation under one model."""

    covers: int
    prefix: str
    stored: Cut
    ready: _Ready | None = None
    planning: bool = False
    asking: bool = False
    tried: int = 0  # bytes that were shown when a pass last won too little
    told: dict[Part, Told] = field(default_factory=dict)


class Compactor:
    """Prepares views (`conversation.kit.Compaction`); does nothing until `run`."""

    def __init__(
        self,
        views: Views,
        typed: Callable[[Iterable[TurnId]], Awaitable[Typed]],
        summariser: Summariser,
        report: Callable[[str, BaseException], None],
        *,
        enabled: bool = True,
    ) -> None:
        self._views = views
        self._typed = typed
        self._summariser = summariser
        self._report = report
        self._enabled = enabled
        self._tasks: TaskGroup | None = None
        self._slots: dict[tuple[ConversationId, str], _Slot] = {}

    async def run(self) -> None:
        """Serve until cancelled."""
        try:
            async with anyio.create_task_group() as self._tasks:
                await anyio.sleep_forever()
        finally:
            self._tasks = None  # a turn may end after this

    def note(self, session: Talk, view: Shown, prompt: Prompt, model: Model) -> None:
        """Hear of a model call; begins to prepare a view where one is wanted."""
        if self._tasks is None or not self._enabled:
            return
        slot = self._slot(session, view)
        slot.covers, slot.prefix = len(session.messages), prefix(session, len(session.messages))
        if view.cut != slot.stored and not session.private:
            slot.stored = view.cut
            kept = _stored(slot, view, model.window)
            self._tasks.start_soon(self._keep, session.conversation, view.key, kept)
        if slot.planning or not self._wanted(slot, view.cut, prompt):
            return
        slot.planning = True
        said = tuple(session.messages)
        job = _Job(said, slot.prefix, view.cut, prompt.room, prompt.shown, model, session.node)
        self._tasks.start_soon(self._prepare, slot, job)

    def take(self, session: Talk, view: Shown) -> Cut | None:
        """What is ready for exactly these messages and this cut; it is swapped in by the caller."""
        slot = self._slots.get((session.conversation, view.key))
        ready = slot.ready if slot else None
        if slot is None or ready is None:
            return None
        job = ready.job
        if view.cut != job.base or prefix(session, len(job.messages)) != job.prefix:
            slot.ready = None
            return None
        if not (job.base.untold or _pressed(session, job)):
            return None  # there is room yet, and a summary may still come
        slot.ready = None
        return ready.cut

    async def restore(self, session: Talk, view: Shown, window: int) -> None:
        """Give a view the cut that it had, unless the conversation or the window is another."""
        if not (self._enabled and session.messages):
            return
        try:
            found = await self._views.get(session.conversation, view.key)
        except HermesError as error:
            self._report("a compacted view", error)  # it is only derived
            return
        if found is None or window > found.size:
            return
        if not found.prefix or prefix(session, found.covers) != found.prefix:
            return
        try:
            view.cut = msgspec.json.decode(found.cut, type=Cut)
        except msgspec.MsgspecError as error:
            self._report("a compacted view", error)
            return
        view.scale = Scale(found.scale)

    def _slot(self, session: Talk, view: Shown) -> _Slot:
        """The conversation's slot; a new one where its messages are not those known before."""
        key = (session.conversation, view.key)
        slot = self._slots.pop(key, None)
        if slot is None or prefix(session, slot.covers) != slot.prefix:
            slot = _Slot(0, "", Cut())
        self._slots[key] = slot
        if len(self._slots) > _SLOTS:
            del self._slots[next(iter(self._slots))]
        return slot

    def _wanted(self, slot: _Slot, cut: Cut, prompt: Prompt) -> bool:
        if prompt.shown < prompt.room * (SOFT / 2 if cut.untold else SOFT):
            return False
        least = prompt.room // _PROGRESS
        if slot.ready is not None and slot.ready.job.base == cut:
            return prompt.shown >= slot.ready.job.shown + least  # it waits to be taken
        return not slot.tried or prompt.shown >= slot.tried + least or prompt.shown < slot.tried

    async def _prepare(self, slot: _Slot, job: _Job) -> None:
        try:
            typed = await self._own(job)
            args = (job.messages, job.room, job.base, dict(slot.told), typed)
            plan = await anyio.to_thread.run_sync(plan_cut, *args)
        except Exception as error:  # noqa: BLE001 - the edge of a background task
            self._report("compaction", error)
            return
        finally:
            slot.planning = False
        if plan.won < job.room // _PROGRESS:
            slot.tried = job.shown
            return
        slot.tried = 0
        wanted = self._to_sum_up(slot, job, plan)
        slot.ready = _Ready(job, plan, plan.cut, typed)
        if wanted:
            await self._sum_up(slot, job, plan, wanted)

    async def _own(self, job: _Job) -> Typed:
        """How much of each turn's words a person typed here; of another node's, nothing."""
        asked = [message for message in job.messages if message.role == "user"]
        typed = await self._typed({message.turn for message in asked})
        return {**typed, **{m.turn: 0 for m in asked if m.node != job.node}}

    def _to_sum_up(self, slot: _Slot, job: _Job, plan: Plan) -> list[Part]:
        """The parts of which enough is left out that no summary tells of yet."""
        if slot.asking or not self._summariser.worth(job.model):
            return []
        wanted: list[Part] = []
        for part, (start, end) in plan.spans.items():
            told = slot.told.get(part)
            since = told.end if told and told.start == start else start
            new = sum(size_of(c) for m in job.messages[since:end] for c in chat_messages(m))
            if new >= max(_WORTH_BYTES, job.room // _WORTH_SHARE):
                wanted.append(part)
        return wanted

    async def _sum_up(self, slot: _Slot, job: _Job, plan: Plan, parts: list[Part]) -> None:
        """Ask the model; its words replace the rules' lines in what was not taken yet."""
        slot.asking = True
        try:
            for part in parts:
                start, end = plan.spans[part]
                most = plan.digest_room // (2 * len(plan.spans))
                text = await self._summariser.write(job.model, job.messages[start:end], most)
                if text:
                    slot.told[part] = Told(start, end, text, job.model.name)
            if (ready := slot.ready) is not None:
                args = (ready.job.messages, ready.plan, dict(slot.told), ready.typed)
                ready.cut = await anyio.to_thread.run_sync(retold, *args)
        except Exception as error:  # noqa: BLE001 - the edge of a background task
            self._report("a summary", error)
        finally:
            slot.asking = False

    async def _keep(self, conversation: ConversationId, key: str, kept: StoredView) -> None:
        try:
            await self._views.put(conversation, key, kept)
        except HermesError as error:
            self._report("keeping a compacted view", error)


def _stored(slot: _Slot, view: Shown, window: int) -> StoredView:
    words = msgspec.json.encode(view.cut).decode()
    return StoredView(slot.prefix, slot.covers, words, window, view.scale.bytes_per_token)


def _pressed(session: Talk, job: _Job) -> bool:
    """Whether the next prompt would nearly fill the room without the view."""
    since = session.messages[len(job.messages) :]
    new = sum(size_of(chat) for message in since for chat in chat_messages(message))
    return job.shown + new > job.room * _PRESSED
