"""Approvals: a stored question to every interactive front end; the first answer wins.

Nobody attached, or nobody in time, is a no.
"""

from dataclasses import dataclass

import anyio

from hermes.conversation.bus import Bus
from hermes.core.clock import Clock
from hermes.core.event import Answer, ApprovalAnswered, ApprovalAsked
from hermes.core.ids import CallId
from hermes.store.store import Store


@dataclass
class _Open:
    asked: ApprovalAsked
    answered: anyio.Event
    answer: ApprovalAnswered | None = None


class Approvals:
    """The questions that are open in this owner."""

    def __init__(self, store: Store, bus: Bus, clock: Clock, timeout_s: float) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._timeout_s = timeout_s
        self._open: dict[CallId, _Open] = {}

    async def ask(self, asked: ApprovalAsked) -> ApprovalAnswered:
        """Ask and wait; the answer is durable when it comes back."""
        await self._store.approvals.ask(
            call_id=asked.call_id,
            turn=asked.turn_id,
            conversation=asked.conversation_id,
            tool=asked.name,
            arguments=str(asked.arguments),
            rule=asked.rule,
            diff=asked.diff,
            at=asked.at,
        )
        waiting = self._open[asked.call_id] = _Open(asked, anyio.Event())
        try:
            self._bus.publish(asked)
            if self._bus.someone_answers(asked.conversation_id):
                with anyio.move_on_after(self._timeout_s):
                    await waiting.answered.wait()
                why = f"no answer within {self._timeout_s:g} s"
            else:
                why = "nobody is here to ask"
            if waiting.answer is None:
                await self.answer(asked.call_id, "no", by="timeout", reason=why)
        finally:
            self._open.pop(asked.call_id, None)
        assert waiting.answer is not None
        return waiting.answer

    async def answer(self, call_id: CallId, answer: Answer, *, by: str, reason: str = "") -> bool:
        """Answer a question; False when it is not open or somebody was faster."""
        waiting = self._open.get(call_id)
        if waiting is None or waiting.answer is not None:
            return False
        waiting.answer = ApprovalAnswered(
            conversation_id=waiting.asked.conversation_id,
            turn_id=waiting.asked.turn_id,
            at=self._clock.now_ms(),
            call_id=call_id,
            answer=answer,
            by=by,
            reason=reason,
        )
        await self._store.approvals.answer(call_id, answer, by, reason)
        self._bus.publish(waiting.answer)
        waiting.answered.set()
        return True

    def asked(self) -> tuple[ApprovalAsked, ...]:
        """The questions that wait, for a front end that just came."""
        return tuple(waiting.asked for waiting in self._open.values() if waiting.answer is None)
