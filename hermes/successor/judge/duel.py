"""Parent and candidate side by side, asked the same, until they differ or the time is over.

Rounds, kills and checks follow from the seed alone; the clock only says how many there are.
"""

import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import msgspec

from hermes.successor.judge import invariants
from hermes.successor.judge.alike import Intended, Plain, undeclared
from hermes.successor.judge.drive import Answer, Driven, drive, verify_log, words
from hermes.successor.judge.growth import Growth
from hermes.successor.judge.inputs import Inputs, Op
from hermes.successor.judge.lines import Broken
from hermes.successor.judge.sides import Sides
from hermes.successor.workbench import Workbench

Json = Any
KILLS = (2, 10, 90, 200)  # memory has to grow in between
LEAST = 12
"""Rounds that a duel has to have for its word."""
_STRETCHED_S = 60.0
_POLICY_EVERY = 8
_PAGES_EVERY = 5
_WEIGHED_EVERY = 3
_NOTES = "".join(f"line {number} of the notes\n" for number in range(1, 40))


@dataclass(frozen=True)
class Finding:
    """What is wrong: its class, the tool it shows at, more for the record, and when."""

    kind: str
    tool: str = ""
    detail: str = ""
    rounds: int = 0
    seconds: float = 0.0


@dataclass
class Told:
    """What a duel did: rounds, compared calls, kills, and checks that were passed.

    `limit`: what cut it short that is not the candidate's doing.
    """

    rounds: int = 0
    calls: int = 0
    kills: int = 0
    finding: Finding | None = None
    limit: str = ""
    log: str = ""
    weighed: list[Json] = field(default_factory=list)


class Duel:
    """One duel; `pair` opens it."""

    def __init__(
        self,
        bench: Workbench,
        sides: tuple[Driven, Driven],
        seed: str,
        intended: Sequence[Intended],
    ) -> None:
        self._bench = bench
        self._sides = Sides(*sides)
        self._parent, self._candidate = sides
        self._intended = intended
        self._plain = (Plain(), Plain())
        self._chance = bench.chance(f"acceptance {seed}")
        self._inputs = Inputs(random.Random(self._chance.getrandbits(64)))  # noqa: S311 - inputs
        self._growth = Growth()
        self._began = anyio.current_time()
        self.told = Told()

    async def run(self, seconds: float, rounds: int | None = None) -> Told:
        """Go on for this long, or for so many rounds; the first finding ends it."""
        try:
            await self._start()
            self._began = anyio.current_time()
            while self.told.finding is None:
                if self._enough(seconds, rounds):
                    break
                self.told.rounds += 1
                self._began += await self._bench.give_way()
                await self._round()
            else:
                return self.told
            await self._end()
        except Broken as broken:
            blamed = await self._sides.blame(broken)
            self.told.limit = self._sides.limit
            if blamed:
                self._found(blamed, detail=broken.message)
        return self.told

    def _enough(self, seconds: float, rounds: int | None) -> bool:
        """On a busy machine the seconds are stretched: a few rounds show little."""
        if rounds is not None:
            return self.told.rounds >= rounds
        passed = anyio.current_time() - self._began
        return passed >= (seconds if self.told.rounds >= LEAST else max(seconds, _STRETCHED_S))

    async def _round(self) -> None:
        turns, questions = self._inputs.round()
        for batch in [[one] for one in turns] + [questions]:
            answers = await self._sides.ask(batch)
            for op, parent, candidate in zip(batch, *answers, strict=True):
                self._compare(op, parent, candidate)
            if self.told.finding:
                return
        number, known = self.told.rounds, self._inputs.known
        if number in KILLS and self._candidate.left:
            await self._kill()
        if number % _PAGES_EVERY == 0:
            await self._holds(lambda side: invariants.pages(side, known), "runner.history")
        if number % _POLICY_EVERY == 1:
            seed = self._chance.getrandbits(64)
            await self._holds(
                lambda side: invariants.policy(side, random.Random(seed), number),  # noqa: S311 - inputs
                "runner.chat",
            )
        if number % _WEIGHED_EVERY == 0:
            await self._weigh()

    async def _weigh(self) -> None:
        weights: dict[Driven, Json] = {}

        async def weigh(driven: Driven) -> None:
            weights[driven] = await driven.order("weigh")

        await self._sides.together(weigh)
        both = [weights[self._parent], weights[self._candidate]]
        self.told.weighed.append(both)
        self._broken(self._growth.take(*both), "")

    async def _holds(
        self, check: Callable[[Driven], Awaitable[str]], tool: str, when: str = ""
    ) -> None:
        """Of both, since it leaves conversations and spent time behind; one is found guilty."""
        broken: dict[Driven, str] = {}

        async def ask(driven: Driven) -> None:
            broken[driven] = await check(driven)

        await self._sides.together(ask)
        if found := broken[self._candidate]:
            self._found(f"{when}{found}", tool)

    def _compare(self, op: Op, parent: Answer, candidate: Answer) -> None:
        plain = [side.of(one) for side, one in zip(self._plain, (parent, candidate), strict=True)]
        self.told.calls += 1
        tool = op.call.tool
        if (one := undeclared(tool, plain[0], plain[1], self._intended)) is not None:
            kinds = [[event.get("type") for event in each["events"]] for each in plain]
            asked = msgspec.json.encode([op.call.arguments, op.call.react, op.script]).decode()
            changed = f"{one.parent!r:.300} became {one.candidate!r:.300}"
            detail = f"{changed}; asked {asked:.600}; events {kinds!r:.600}"
            self._found(f"differs: {one.path}", tool, detail)
        if op.changes:
            self._broken(invariants.stream(candidate), tool)
        for driven, answer in ((self._parent, parent), (self._candidate, candidate)):
            if op.name and isinstance(answer.result, dict) and op.name not in driven.names:
                driven.names[op.name] = str(answer.result.get("conversation_id", ""))
        self._inputs.known.take(op, parent.result)

    async def _start(self) -> None:
        async def start(driven: Driven) -> None:
            await driven.start(1 + (driven is self._candidate), words(self._bench))

        await self._sides.together(start)

    async def _kill(self) -> None:
        """Kill -9 both right after what they acknowledged, start them again, read it back."""

        async def kill(driven: Driven) -> None:
            await driven.order("kill")

        await self._sides.together(kill)
        await self._start()
        self.told.kills += 1
        self._growth = Growth()
        await self._kept("after kill -9: ")

    async def _kept(self, when: str = "") -> None:
        known = self._inputs.known
        await self._holds(lambda side: invariants.kept(side, known), "runner.history", when)

    async def _end(self) -> None:
        await self._kept()
        await self._candidate.order("kill")
        found = await verify_log(self._bench, self._candidate)
        self.told.log = str(found.get("stdout") or found.get("stderr"))[-1_000:]
        if found.get("status") is None:
            self.told.limit = f"the log's check, which took {self.told.log}"
        elif found.get("status") != 0:
            self._broken("the log does not verify", "")

    def _broken(self, what: str, tool: str) -> None:
        if what:
            self._found(what, tool)

    def _found(self, kind: str, tool: str = "", detail: str = "") -> None:
        if self.told.finding is None:
            seconds = anyio.current_time() - self._began
            self.told.finding = Finding(kind, tool, detail, self.told.rounds, seconds)


@asynccontextmanager
async def pair(
    bench: Workbench, seed: str, intended: Sequence[Intended]
) -> AsyncGenerator[Duel, None]:
    """Two boxes with nothing started yet."""
    async with drive(bench, "parent") as parent, drive(bench, "candidate") as candidate:
        for one in (parent, candidate):
            await one.order("put", files={"notes.txt": _NOTES}, folder="/box/project")
        yield Duel(bench, (parent, candidate), seed, intended)
