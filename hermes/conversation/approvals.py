"""Approvals: a stored question to every interactive front end; the first answer wins.

Nobody attached, or nobody in time, is a no.
"""

from dataclasses import dataclass, field

import anyio
import msgspec

from hermes.conversation.bus import Bus
from hermes.core.clock import Clock
from hermes.core.event import Answer, ApprovalAnswered, ApprovalAsked
from hermes.core.ids import CallId
from hermes.store.store import Store

_AWAY_S = 10.0  # a person whose front end went away may come back within this


@dataclass
class _Open:
    asked: ApprovalAsked
    answer: ApprovalAnswered | None = None
    wait: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    settled: anyio.Event = field(default_factory=anyio.Event)


class Approvals:
    """The questions that are open in this owner."""

    def __init__(
        self, store: Store, bus: Bus, clock: Clock, timeout_s: float, away_s: float = _AWAY_S
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._timeout_s = timeout_s
        self._away_s = away_s
        self._open: dict[CallId, _Open] = {}

    async def ask(self, asked: ApprovalAsked, *, expected: bool) -> ApprovalAnswered:
        """Ask and wait; the answer is durable when it comes back.

        Args:
            asked: the question.
            expected: whether a person was there when the turn began: then one who is away
                just now, as when the owner changes, may come back.
        """
        await self._store.approvals.ask(
            call_id=asked.call_id,
            turn=asked.turn_id,
            conversation=asked.conversation_id,
            tool=asked.name,
            arguments=msgspec.json.encode(asked.arguments).decode(),
            rule=asked.rule,
            diff=asked.diff,
            at=asked.at,
        )
        waiting = self._open[asked.call_id] = _Open(asked)
        try:
            self._bus.publish(asked)
            why = f"no answer within {self._timeout_s:g} s"
            with waiting.wait, anyio.move_on_after(self._timeout_s):
                away_s = self._away_s if expected else 0
                await self._bus.deserted(asked.conversation_id, away_s)
                why = "nobody is here to ask"
            await self.answer(asked.call_id, "no", by="timeout", reason=why)
            await waiting.settled.wait()
        finally:
            del self._open[asked.call_id]
        assert waiting.answer is not None
        return waiting.answer

    async def answer(self, call_id: CallId, answer: Answer, *, by: str, reason: str = "") -> bool:
        """Answer a question; False when it is not open or somebody was faster."""
        waiting = self._open.get(call_id)
        if waiting is None or waiting.answer is not None:
            return False
        if answer == "always" and not waiting.asked.rule:
            answer = "yes"  # there is nothing to keep
        waiting.answer = ApprovalAnswered(
            conversation_id=waiting.asked.conversation_id,
            turn_id=waiting.asked.turn_id,
            at=self._clock.now_ms(),
            call_id=call_id,
            answer=answer,
            by=by,
            reason=reason,
        )
        try:
            with anyio.CancelScope(shield=True):  # who answers may leave at once
                await self._store.approvals.answer(call_id, answer, by, reason)
        finally:
            self._bus.publish(waiting.answer)
            waiting.wait.cancel()
            waiting.settled.set()
        return True

    def asked(self) -> tuple[ApprovalAsked, ...]:
        """The questions that wait, for a front end that just came."""
        return tuple(waiting.asked for waiting in self._open.values() if waiting.answer is None)
