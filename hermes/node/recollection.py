"""What memory brings to turns (`conversation.kit.Recollection`).

A conversation's first turn gets its memories in the system block, later turns before the
person's words; what a turn was shown stays so for good, so that the prompt's prefix does.
"""

from collections.abc import Callable, Sequence

import msgspec
from anyio.abc import TaskGroup

from hermes.config import Memory as Wanted
from hermes.conversation.session import Brought, Session
from hermes.core.ids import TurnId
from hermes.core.request import Profile, TurnRequest
from hermes.errors import HermesError
from hermes.memory.choice import Choice, Terms, chosen
from hermes.memory.markers import marker
from hermes.memory.recall import Recalled, Recaller
from hermes.node.memories import hash_of
from hermes.prompt.sections import fitting, marker_room
from hermes.store import recalled as rows
from hermes.store.store import Store

_FOUND = 24
_OPENING_MOST = 8
_LATER_MOST = 3
_LATER_SHARE = 2  # a later turn gets half of the first one's room
_HEAD, _TAIL = 700, 300  # of a long message, what is taken for the question


class Recollection:
    """Chooses memories for turns and writes down why."""

    def __init__(
        self,
        store: Store,
        recaller: Recaller,
        wanted: Wanted,
        tasks: TaskGroup,
        report: Callable[[str, BaseException], None],
    ) -> None:
        self._store = store
        self._recaller = recaller
        self._wanted = wanted
        self._tasks = tasks
        self._report = report

    async def look(self, session: Session, request: TurnRequest, profile: Profile) -> None:
        """Give the session what memory has for this turn; a failure means none, never an error."""
        try:
            if session.recalled is None:
                session.recalled = await self._restored(session)
            if request.turn_id not in session.recalled:
                session.recalled[request.turn_id] = await self._bring(session, request, profile)
        except HermesError as error:
            self._report("recall", error)

    async def opening(self, session: Session, profile: Profile) -> tuple[str, ...]:
        """The lines that a conversation begins with, or would begin with; changes nothing."""
        if not session.messages:
            choice = await self._opening(session.root, "", profile)
            return tuple(line.text for line in choice.lines)
        known = await self._restored(session) if session.recalled is None else session.recalled
        return tuple(fitting(known.get(session.opening, Brought()).lines, self._room(profile)))

    async def _restored(self, session: Session) -> dict[TurnId, Brought]:
        turns = dict.fromkeys(message.turn for message in session.messages)
        found: dict[TurnId, Brought] = {}
        for one in await self._store.recalled.shown(turns):
            line = marker(one.memory_type, one.content, one.source_session_id)
            before = found.get(one.turn, Brought())
            found[one.turn] = Brought((*before.lines, line), (*before.memories, one.memory))
        return found

    async def _bring(self, session: Session, request: TurnRequest, profile: Profile) -> Brought:
        if any(message.role == "assistant" for message in session.of_turn(request.turn_id)):
            return Brought()  # resumed: the model has seen this turn without
        if session.opening == request.turn_id:
            choice = await self._opening(session.root, request.text, profile)
        elif profile == "native":
            return Brought()
        else:
            choice = await self._later(session, request.text, profile)
        self._tasks.start_soon(self._keep, session, request.turn_id, choice)
        return Brought(
            tuple(line.text for line in choice.lines),
            tuple(line.recalled.memory.id for line in choice.lines),
        )

    async def _opening(self, root: str, text: str, profile: Profile) -> Choice:
        project = await hash_of(root)
        terms = Terms(self._wanted.recall_least, self._room(profile), _OPENING_MOST)
        found = await self._recaller.find(project, _question(text), _FOUND)
        fitting = [one for one in found if one.score >= terms.least]
        of_late = await self._recaller.recent(project, _FOUND)
        return chosen((*fitting, *_better(of_late, terms), *found), terms)

    async def _later(self, session: Session, text: str, profile: Profile) -> Choice:
        found = await self._recaller.find(await hash_of(session.root), _question(text), _FOUND)
        known = {one for brought in (session.recalled or {}).values() for one in brought.memories}
        room = self._room(profile) // _LATER_SHARE
        return chosen(found, Terms(self._wanted.recall_least, room, _LATER_MOST), known)

    def _room(self, profile: Profile) -> int:
        return marker_room(profile, self._wanted.recall_bytes)

    async def _keep(self, session: Session, turn: TurnId, choice: Choice) -> None:
        """Written aside: no turn waits for the disk to learn what it was shown."""
        shown = [_row(line.recalled, shown=True) for line in choice.lines]
        near = [_row(one, shown=False) for one in choice.near]
        try:
            await self._store.recalled.keep(session.conversation, turn, (*shown, *near))
        except HermesError as error:
            self._report("recall", error)


def _better(of_late: Sequence[Recalled], terms: Terms) -> list[Recalled]:
    return [one for one in of_late if one.score >= terms.least]


def _row(one: Recalled, *, shown: bool) -> rows.Brought:
    used = shown and not one.why.recent  # being new is no use: it would never fade
    return rows.Brought(one.memory.id, one.score, msgspec.to_builtins(one.why), shown, used)


def _question(text: str) -> str:
    """A long message asks at its beginning or at its end; between them stands what is pasted."""
    return text if len(text) <= _HEAD + _TAIL else f"{text[:_HEAD]}\n{text[-_TAIL:]}"
