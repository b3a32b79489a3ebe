"""The historian: reads finished talk and promotes what a person said into project memory.

It works by rules and needs no model; a model may only judge what a rule found. A page of talk
is read, weighed and written in one transaction, so that a crash loses nothing and doubles
nothing. What a model, a tool or a file says is never a memory.
"""

from collections.abc import Sequence
from pathlib import Path

import anyio
import anyio.to_thread

from hermes.core.clock import Clock
from hermes.load import load
from hermes.memory.aside import Aside
from hermes.memory.chore import Report
from hermes.memory.found import Found, Spoken, Weighed
from hermes.memory.judging import Judge
from hermes.memory.project import project_hash
from hermes.store.claim import Known
from hermes.store.history import TALKS, Page, Seen
from hermes.store.promotion import Change
from hermes.store.store import Store

_MINUTE_MS = 60_000
_TRIES = 3
_FEW = 4  # conversations of a page in a short run: what a turn that begins may have to wait for
_SHORT_S = 1.0


class Historian:
    """Promotes memories from conversations that are over (`hermes.memory.chore.Task`).

    `idle_minutes`: how old talk is when it counts as over though its session is open.
    """

    name = "historian"

    def __init__(self, store: Store, clock: Clock, aside: Aside, idle_minutes: float) -> None:
        self._store = store
        self._clock = clock
        self._judge = Judge(aside)
        self._idle_ms = round(idle_minutes * _MINUTE_MS)
        self._after = 0
        self._projects: dict[str, str] = {}

    async def run(self, limit_s: float) -> Report:
        """Read what is over, page by page, for about so long; at least one page."""
        ends = anyio.current_time() + limit_s
        looked = changed = 0
        most = _FEW if limit_s < _SHORT_S else TALKS
        whole = self._after == 0  # whether nothing was found since the pass began at the start
        while True:
            page = await self._store.history.unread(self._idle_ms, self._after, most)
            if page.after == 0 and whole:
                return _report(looked, changed, more=False)
            if page.talks:
                changed += await self._promote(page)
                looked += len(page.talks)
            whole = page.after == 0 or (whole and not page.talks)
            self._after = page.after
            if anyio.current_time() >= ends:
                return _report(looked, changed, more=True)

    async def _promote(self, page: Page) -> int:
        """Promote a page; returns how many memories it changed."""
        names = await anyio.to_thread.run_sync(self._named, [talk.root for talk in page.talks])
        spoken = [Spoken(talk, names[talk.root]) for talk in page.talks]
        now = self._clock.now_ms()
        candidates: list[Found] = []
        for one in spoken:  # each by itself: a turn that begins cancels between two of them
            candidates += await anyio.to_thread.run_sync(_found, (one,), now)
        found = await self._judge.judged(candidates)
        for _ in range(_TRIES):
            weighed = await self._weigh(found)
            if await self._store.history.promote([t.read for t in page.talks], weighed.changes):
                return weighed.changed
        return 0  # somebody else reads the same; what is left comes with the next run

    async def _weigh(self, found: Sequence[Found]) -> Weighed:
        changes: list[Change] = []
        changed = 0
        for project in dict.fromkeys(one.project_hash for one in found):
            known = await self._store.history.known(project)
            seen = await self._store.history.seen(project)
            of_project = [one for one in found if one.project_hash == project]
            weighed = await anyio.to_thread.run_sync(_weighed, project, of_project, known, seen)
            changes += weighed.changes
            changed += weighed.changed
        return Weighed(tuple(changes), changed)

    def _named(self, roots: Sequence[str]) -> dict[str, str]:
        for root in roots:
            if root not in self._projects:
                self._projects[root] = project_hash(Path(root))
        return self._projects


def _found(spoken: Sequence[Spoken], now: int) -> list[Found]:
    found: list[Found] = load("claims").find(spoken, now)
    return found


def _weighed(
    project: str, found: Sequence[Found], known: Sequence[Known], seen: Sequence[Seen]
) -> Weighed:
    weighed: Weighed = load("weighing").weighed(project, found, known, seen)
    return weighed


def _report(looked: int, changed: int, *, more: bool) -> Report:
    text = f"{looked} conversations read, {changed} memories changed"
    return Report(looked, changed, more, text)
