"""A whole past from a seed: the same numbers give the same sessions and questions, for good."""

import random
from collections import defaultdict
from collections.abc import Sequence

from hermes.core.clock import from_rfc3339
from hermes.testing.history.chatter import Chatter
from hermes.testing.history.facts import FEWEST, Planter, Spoken
from hermes.testing.history.subjects import Tables, left
from hermes.testing.history.traps import Laid, Trapper
from hermes.testing.history.values import Exchange, Fact, History, Session, Trap

NOW = from_rfc3339("2026-11-02T09:00:00Z")
_DAYS = 200
_TRAPS = 1.0  # for each fact
_SECRETS = 0.1  # for each fact
_OPEN = 0.03  # sessions that nobody closed
_TURNS = (1, 2, 2, 3, 4)
_PAIRS = 2  # owners whose office is known, in each project

Placed = dict[int, list[Exchange]]


def make(seed: int, sessions: int, facts: int, projects: int, tables: Tables = "first") -> History:
    """Make up a past.

    Args:
        seed: of chance.
        sessions: in all; the projects share them evenly.
        facts: planted facts in all; there are as many traps, and a secret for every ten.
        projects: in all; each speaks of the same things with other values.
        tables: which phrases.

    Raises:
        ValueError: too few sessions for so many projects, or too many facts.
    """
    if sessions // projects < FEWEST:
        raise ValueError(f"a project needs {FEWEST} sessions at least")
    chance = random.Random(seed)  # noqa: S311 - no secret
    planter = Planter(chance, NOW, tables)
    return _Maker(planter, chance, sessions, facts, projects).run()


class _Maker:
    def __init__(
        self, planter: Planter, chance: random.Random, sessions: int, facts: int, projects: int
    ) -> None:
        self._chance = chance
        self._sessions = [sessions // projects + (i < sessions % projects) for i in range(projects)]
        self._facts = [facts // projects + (i < facts % projects) for i in range(projects)]
        self._planter = planter
        self._trapper = Trapper(chance, self._planter)
        self._chatter = Chatter(chance, self._planter.wrappings)

    def run(self) -> History:
        facts: list[Fact] = []
        traps: list[Trap] = []
        sessions: list[Session] = []
        for project, count in enumerate(self._sessions):
            times = self._times(count)
            planted, laid = self._plan(project, times)
            facts += planted
            traps += [one.trap for one in laid if one.trap is not None]
            sessions += self._talk(project, times, planted, laid)
        sessions.sort(key=lambda one: one.at)
        secrets = tuple(self._trapper.secrets)
        return History(
            len(self._sessions),
            NOW,
            self._planter.table.hop,
            tuple(facts),
            tuple(traps),
            secrets,
            tuple(sessions),
        )

    def _times(self, count: int) -> list[int]:
        """When a project's sessions were: whole seconds, each once, a day ago at the latest."""
        seconds = self._chance.sample(range(86_400, _DAYS * 86_400), count)
        return sorted(NOW - one * 1000 for one in seconds)

    def _plan(self, project: int, times: Sequence[int]) -> tuple[list[Fact], list[Laid]]:
        wanted, taken = self._facts[project], set[str]()
        every = self._planter.spoken()
        pairs = self._pairs(every)[: min(_PAIRS, wanted // 2)]
        chosen = {one for owner, office in pairs for one in (owner, office)}
        rest = [one for one in every if one not in chosen]
        single = wanted - 2 * len(pairs)
        if single > len(rest) * 2 // 3:
            raise ValueError(f"no project has {wanted} facts to tell")
        facts = [
            self._planter.plant(project, owner, times, taken, first=office.component)
            for owner, office in pairs
        ]
        taken |= {office.component for _, office in pairs}
        told = [office for _, office in pairs] + rest[:single]
        facts += [
            self._planter.plant(project, one, times, taken)
            for one in told
            if self._left(one, taken)
        ]
        laid = self._traps(project, rest, single, len(times), taken)
        return facts, laid

    def _pairs(self, every: Sequence[Spoken]) -> list[tuple[Spoken, Spoken]]:
        """Owners of components beside people with an office."""
        owners = [one for one in every if one.subject.key == "owner"]
        return list(
            zip(owners, (one for one in every if one.subject.key == "office"), strict=False)
        )

    def _traps(
        self, project: int, rest: Sequence[Spoken], told: int, sessions: int, taken: set[str]
    ) -> list[Laid]:
        """Half of them about what is known, half about what nobody ever told."""
        chance, wanted = self._chance, self._facts[project]
        half = round(wanted * _TRAPS / 2)
        baits = [*rest[:told][:half], *rest[told:][: round(wanted * _TRAPS) - half]]
        laid = [
            self._trapper.lay(project, one, chance.randrange(sessions), taken)
            for one in baits
            if self._left(one, taken)
        ]
        laid += [
            self._trapper.secret(chance.randrange(sessions))
            for _ in range(max(1, round(wanted * _SECRETS)))
        ]
        return laid

    def _left(self, told: Spoken, taken: set[str]) -> bool:
        return left(told.subject, self._planter.table, taken) > 0

    def _talk(
        self, project: int, times: Sequence[int], facts: Sequence[Fact], laid: Sequence[Laid]
    ) -> list[Session]:
        placed: Placed = defaultdict(list)
        for fact in facts:
            for said in fact.sayings:
                placed[said.session].append(Exchange(said.text, (), "Noted."))
        for one in laid:
            if one.trap is None or one.trap.where != "private":
                placed[one.session].append(one.exchange)
        made = [self._session(project, at, placed[i]) for i, at in enumerate(times)]
        for one in laid:
            if one.trap is not None and one.trap.where == "private":
                at = times[one.session] + 1000
                made.append(Session(project, at, private=True, closed=True, turns=(one.exchange,)))
        return made

    def _session(self, project: int, at: int, said: list[Exchange]) -> Session:
        """Ordinary talk with what has to be said somewhere in it, in its order."""
        turns = [self._chatter.turn() for _ in range(self._chance.choice(_TURNS))]
        places = sorted(self._chance.randrange(len(turns) + 1) for _ in said)
        for place, exchange in zip(reversed(places), reversed(said), strict=True):
            turns.insert(place, exchange)
        closed = self._chance.random() >= _OPEN
        return Session(project, at, private=False, closed=closed, turns=tuple(turns))
