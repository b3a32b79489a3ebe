"""The dreamer: drafts skills from work that recurs. A draft does nothing until it is approved.

First every finished turn is noted in normal form, a page at a time; then the notes of each
project are looked through. Bounded: so many drafts wait at most, so many are made a day.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path, PurePath
from typing import NamedTuple

import anyio
import anyio.to_thread

from hermes.config import Settings
from hermes.core.clock import Clock
from hermes.memory.aside import Aside
from hermes.memory.asked import own_words
from hermes.memory.chore import Report
from hermes.memory.drafting import (
    REWORD,
    Drafted,
    fixed_text,
    from_habit,
    from_work,
    is_clean,
    is_command,
    renamed,
    reworded,
)
from hermes.memory.patterns import DAY_MS, Bounds, Occurrence, Pattern, days_of, find, prove, shared
from hermes.memory.project import project_hash
from hermes.memory.steps import steps_of
from hermes.store.deeds import Doing
from hermes.store.drafts import Draft
from hermes.store.store import Store
from hermes.store.work import Habit, Noted

_PAGE = 100  # turns
_BACK_MS = 180 * DAY_MS
_NOTES_MOST = 4_000  # of one project, the latest
_LOOKED_AT = 12  # occurrences of one pattern that are checked, the latest
_WORDS_MOST = 120  # tokens of a description


class Caps(NamedTuple):
    """How many drafts may wait for the person, and how many are made in 24 hours."""

    waiting: int = 5
    a_day: int = 2


CAPS = Caps()


class Dreamer:
    """Finds recurring work and habits, and drafts skills from them (`memory.chore.Task`)."""

    name = "dreamer"

    def __init__(
        self, store: Store, clock: Clock, aside: Aside, settings: Settings, caps: Caps = CAPS
    ) -> None:
        self._store = store
        self._clock = clock
        self._aside = aside
        memory = settings.memory
        self._bounds = Bounds(memory.dream_sessions, memory.dream_days)
        self._caps = caps
        self._after = 0
        self._hashes: dict[str, str] = {}
        self._left: list[str] | None = None  # projects of this round; None: a new one begins

    async def run(self, limit_s: float) -> Report:
        """Note new turns, then look through the projects; goes on where it was dropped."""
        until = anyio.current_time() + limit_s
        noted, drafted = 0, 0
        while page := await self._store.deeds.unread(self._after, _PAGE):
            await self._note(page)
            self._after = page[-1].row
            noted += len(page)
            if anyio.current_time() >= until:
                return await self._report(noted, drafted, more=True)
        if self._left is None:
            since = self._clock.now_ms() - _BACK_MS
            self._left = list(await self._store.work.projects(since, self._bounds.sessions + 1))
        while self._left:
            drafted += await self._project(self._left[0])
            self._left.pop(0)
            if anyio.current_time() >= until and self._left:
                return await self._report(noted, drafted, more=True)
        self._after, self._left = 0, None
        return await self._report(noted, drafted, more=False)

    async def _report(self, noted: int, drafted: int, *, more: bool) -> Report:
        waiting = len(await self._store.drafts.list("open"))
        text = f"{noted} turns noted, {drafted} skills drafted"
        if waiting:
            text += f"; {waiting} wait for you: hermes skills drafts"
        return Report(noted, drafted, more, text)

    async def _note(self, page: Sequence[Doing]) -> None:
        for root in {doing.root for doing in page} - self._hashes.keys():
            known = partial(project_hash, Path(root))
            self._hashes[root] = await anyio.to_thread.run_sync(known) if root else ""
        await self._store.work.keep(await anyio.to_thread.run_sync(self._noted, page))

    def _noted(self, page: Sequence[Doing]) -> list[Noted]:
        return [_noted(doing, self._hashes[doing.root]) for doing in page]

    async def _project(self, project: str) -> int:
        """Draft what a project's notes prove; returns how many."""
        now = self._clock.now_ms()
        room = self._room(await self._store.drafts.list(), now)
        if room <= 0:
            return 0
        notes = await self._store.work.of(project, now - _BACK_MS, _NOTES_MOST)
        patterns = await anyio.to_thread.run_sync(find, notes, self._bounds)
        made = 0
        for pattern in patterns:
            known = await self._store.drafts.of(project)
            if made < room and not any(_covered(pattern.keys, draft) for draft in known):
                made += await self._offer(project, await self._work(pattern))
        place = notes[-1].place if notes else ""
        for habit in await self._store.work.habits(project, now):
            if made < room:
                made += await self._offer(project, self._habit(habit, place))
        return made

    def _room(self, drafts: Sequence[Draft], now: int) -> int:
        waiting = sum(draft.state == "open" for draft in drafts)
        today = sum(draft.at > now - DAY_MS for draft in drafts)
        return min(self._caps.waiting - waiting, self._caps.a_day - today)

    async def _work(self, pattern: Pattern) -> Drafted | None:
        kept = [o for o in pattern.occurrences[-_LOOKED_AT:] if not await self._is_planted(o)]
        proven = prove(Pattern(pattern.keys, tuple(kept), pattern.count), self._bounds)
        return from_work(proven) if proven else None

    async def _is_planted(self, occurrence: Occurrence) -> bool:
        """Whether a tool's result showed a command that the person's own words do not name."""
        for step in occurrence.steps:
            if is_command(step.key) and not step.ordered:
                words = fixed_text(step.key, step.values)
                place = occurrence.conversation
                if await self._store.work.planted(place, occurrence.at, words):
                    return True
        return False

    def _habit(self, habit: Habit, place: str) -> Drafted | None:
        sessions = dict(reversed(habit.said))
        found_in = sorted(sessions.values())[:-1]
        enough = len(found_in) >= self._bounds.sessions and days_of(found_in) >= self._bounds.days
        return from_habit(habit, place) if enough else None

    async def _offer(self, project: str, drafted: Drafted | None) -> int:
        """Keep a draft that is clean and new; then let a model find better words for it."""
        if drafted is None or not await self._is_clean(drafted):
            return 0
        taken = {d.name for d in await self._store.drafts.list() if d.state != "rejected"}
        drafted = renamed(drafted, taken)
        name, text = drafted.skill.name, drafted.text
        draft = await self._store.drafts.add(project, drafted.key, name, text, drafted.evidence)
        if draft and await self._aside.worth_it():
            await self._reword(draft, drafted)
        return int(bool(draft))

    async def _is_clean(self, drafted: Drafted) -> bool:
        return await anyio.to_thread.run_sync(is_clean, drafted)

    async def _reword(self, draft: int, drafted: Drafted) -> None:
        said = await self._aside.ask(REWORD, drafted.skill.body, _WORDS_MOST)
        better = reworded(drafted, said) if said else None
        if better is not None and await self._is_clean(better):
            await self._store.drafts.reword(draft, better.text)


def _noted(doing: Doing, project: str) -> Noted:
    words = own_words(doing.text)
    steps = steps_of(doing, words)
    return Noted(
        turn=doing.turn,
        conversation=doing.conversation,
        session=doing.session,
        place=PurePath(doing.root).name,
        at=doing.at,
        asked=words if steps else (),
        steps=steps,
        project_hash=project,
    )


def _covered(keys: Sequence[str], draft: Draft) -> bool:
    """Whether a draft is about most of the same steps; a rejected one counts only for its own."""
    known = draft.evidence.steps if draft.evidence.kind == "work" else ()
    size = len(keys) if draft.state == "rejected" else min(len(keys), len(known))
    return 2 * shared(keys, known) > size
