"""One worker's way through the rounds: train, send, wait for the others, apply what counts.

A round goes on without those who miss its deadline, if a quorum delivered. Who was away takes
the newest state and applies the rounds since: the same messages, so the same weights.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import anyio
import anyio.from_thread
import anyio.to_thread

from hermes.errors import SyncDiverged, SyncRefused, SyncStalled
from training.sync.aggregate import Guard, aggregate, read_all
from training.sync.compress import Compressor, Scheme, largest
from training.sync.outer import Outer, outer_step
from training.sync.quantise import Values
from training.sync.state import State, largest_state, pack_state, terms_of, unpack_state
from training.sync.transport import STATE, Transport, check_worker

_LOOK_S = 2.0  # how often a worker that trains looks whether the round went on without it


Stop = Callable[[], bool]
"""Whether to end the round early; asked before each step."""


class Trained(Protocol):
    """What trains between two rounds: `inner.Inner`."""

    @property
    def layout(self) -> list[tuple[str, tuple[int, ...]]]:
        """Names and shapes of the parameters."""
        ...

    def read(self) -> Values:
        """The weights to begin a run with."""
        ...

    def write(self, vector: Values) -> None:
        """Take the weights that the run ended with."""
        ...

    def run(self, start: Values, number: int, stop: Stop) -> tuple[Values, int]:
        """What a round changed, and in how many steps."""
        ...


@dataclass(frozen=True)
class Rounds:
    """The dials of a run. `scheme` may differ between workers; `outer` and `guard` must not.

    Args:
        count: rounds in all.
        workers: with how many the first round begins.
        quorum: how many must deliver for a round to go on; 0: more than half of `workers`.
        deadline_s: how long the others are waited for, once this worker has delivered.
        give_up_s: after how long without a quorum the run ends with SyncStalled.
        state_every: after how many rounds the weights are published for those who return.
    """

    count: int
    workers: int
    quorum: int = 0
    deadline_s: float = 120.0
    give_up_s: float = 3_600.0
    state_every: int = 20
    scheme: Scheme = field(default_factory=Scheme)
    outer: Outer = field(default_factory=Outer)
    guard: Guard = field(default_factory=Guard)

    @property
    def enough(self) -> int:
        """The quorum in force."""
        return self.quorum or self.workers // 2 + 1


@dataclass
class Report:
    """What became of a run, as one worker saw it; bytes count contributions and states."""

    rounds: int = 0
    contributed: int = 0
    replayed: int = 0
    late: int = 0
    sent: int = 0
    received: int = 0
    digest: str = ""
    refused: dict[str, list[str]] = field(default_factory=dict)


class Worker:
    """A worker of a run; `run` returns when all rounds are over."""

    def __init__(self, name: str, trained: Trained, transport: Transport, rounds: Rounds) -> None:
        self.name = check_worker(name)
        self._trained, self._transport, self._rounds = trained, transport, rounds
        first = trained.read()
        self._size = len(first)
        self._terms = terms_of(trained.layout, (rounds.outer, rounds.guard))
        self._first = State(0, first, None, self._terms)
        self._compressor = Compressor(rounds.scheme, self._size)
        self._known: set[str] = set()
        self._wrong_at = -1
        self.report = Report()

    async def run(self) -> Report:
        """All rounds from the newest state on; the model then has the run's weights."""
        state = await self._join(self._first)
        while state.round < self._rounds.count:
            state = await self._advance(state)
            due = state.round % self._rounds.state_every == 0 or state.round == self._rounds.count
            if due and self.name == min(self._known, default=self.name):
                await self._publish(state.round, STATE, pack_state(state))
        self._trained.write(state.weights)
        self.report.rounds, self.report.digest = state.round, state.digest.hex()
        return self.report

    async def _join(self, first: State) -> State:
        """The newest state that is there, or the given one as the first."""
        if not await self._transport.states():
            await self._publish(0, STATE, pack_state(first))
        newest = (await self._transport.states())[-1]
        try:
            data = await self._transport.fetch(newest, STATE, largest_state(self._size))
        except SyncRefused as error:
            raise SyncRefused(
                f"the run there has a state that does not fit this model: {error.message}",
                "give every worker the same model, or the run a new place",
            ) from error
        self.report.received += len(data)
        return unpack_state(data, self._size, self._terms)

    async def _advance(self, state: State) -> State:
        """One round, trained with the others or caught up with."""
        look = await self._transport.look(state.round)
        settled = look.settled
        if settled is None:
            if await self._newer(state):
                return await self._join(state)
            settled = await self._take_part(state)
        else:
            self.report.replayed += 1
        try:
            return await self._apply(state, settled)
        except SyncDiverged:
            if self._wrong_at == state.round:
                raise  # what was published and replayed leads to the same
            self._wrong_at = state.round
            return await self._join(state)
        except SyncRefused:
            if not await self._newer(state):
                raise
            return await self._join(state)  # the round was forgotten while we were away

    async def _newer(self, state: State) -> bool:
        held = await self._transport.states()
        return bool(held) and held[-1] > state.round

    async def _take_part(self, state: State) -> tuple[str, ...]:
        number = state.round
        await self._publish(number, f"here.{self.name}", b"")
        delta, steps = await self._train(state)
        if steps:
            message = self._compressor.pack(delta, number, steps, state.digest)
            await self._publish(number, f"delta.{self.name}", message)
        settled = await self._settled(number)
        if self.name in settled:
            self.report.contributed += 1
        else:
            self.report.late += 1
            if steps:
                self._compressor.lost()
        return settled

    async def _train(self, state: State) -> tuple[Values, int]:
        """Inner steps in a thread; they end early when the others settle the round."""
        looked = time.monotonic()

        def stop() -> bool:
            nonlocal looked
            anyio.from_thread.check_cancelled()
            if time.monotonic() - looked < _LOOK_S:
                return False
            look = anyio.from_thread.run(self._transport.look, state.round)
            looked = time.monotonic()
            return look.settled is not None

        return await anyio.to_thread.run_sync(self._trained.run, state.weights, state.round, stop)

    async def _settled(self, number: int) -> tuple[str, ...]:
        """Wait for those who are expected, until the deadline; then settle, or learn who did."""
        rounds = self._rounds
        began, look = anyio.current_time(), await self._transport.look(number)
        while look.settled is None:
            waited = anyio.current_time() - began
            wanted = self._known | set(look.here)
            complete = wanted <= set(look.delivered)
            complete = complete and (bool(self._known) or len(look.delivered) >= rounds.workers)
            enough = len(look.delivered) >= rounds.enough
            if enough and (complete or waited >= rounds.deadline_s):
                return await self._transport.settle(number, look.delivered)
            if waited >= rounds.give_up_s:
                raise SyncStalled(
                    f"round {number}: {len(look.delivered)} of {rounds.enough} delivered in"
                    f" {waited:.0f} s",
                    "start more workers, or lower the quorum",
                )
            left = rounds.give_up_s if not enough else rounds.deadline_s
            look = await self._transport.look(number, look, max(0.0, left - waited))
        return look.settled

    async def _apply(self, state: State, settled: tuple[str, ...]) -> State:
        messages = {}
        refused: dict[str, str] = {}
        for name in settled:
            try:
                data = await self._transport.fetch(
                    state.round, f"delta.{name}", largest(self._size)
                )
            except SyncRefused as error:
                if await self._newer(state):
                    raise  # forgotten meanwhile, so there is a state to go on from
                refused[name] = error.message
                continue
            self.report.received += len(data) if name != self.name else 0
            messages[name] = data
        if not messages:
            raise SyncRefused(f"nothing of round {state.round} can be read: {refused}")
        after, also = await anyio.to_thread.run_sync(self._reckon, state, messages)
        refused |= also
        self._known = set(settled) - set(refused)
        for name, reason in refused.items():
            self.report.refused.setdefault(name, []).append(f"round {state.round}: {reason}")
        return after

    def _reckon(self, state: State, messages: dict[str, bytes]) -> tuple[State, dict[str, str]]:
        values, unread = read_all(messages, state)
        outcome = aggregate(values, self._rounds.guard)
        after = outer_step(state, outcome.update, self._rounds.outer)
        return after, {**unread.refused, **outcome.refused}

    async def _publish(self, number: int, name: str, data: bytes) -> None:
        if await self._transport.publish(number, name, data):
            self.report.sent += len(data)
