"""Approvals by message: the question goes out, the first answer from anywhere wins."""

from hermes.core.clock import Clock
from hermes.core.event import ApprovalAnswered, ApprovalAsked
from hermes.core.ids import TurnId
from hermes.gateway import dm_say
from hermes.gateway.dm_out import Outgoing
from hermes.gateway.dm_questions import Questions
from hermes.gateway.dm_words import Reply
from hermes.gateway.render_text import one_line, reveal
from hermes.gateway.terminal_door import Door

_ANSWERS_SHOWN = {"yes": "yes", "no": "no", "always": "yes, always"}


class Asking:
    """The questions that one person is asked."""

    def __init__(self, to: str, door: Door, out: Outgoing, clock: Clock) -> None:
        self._to = to
        self._door = door
        self._out = out
        self._clock = clock
        self._questions = Questions()
        self._unshown: set[int] = set()

    @property
    def open(self) -> tuple[int, ...]:
        """The numbers of the questions that wait."""
        return self._questions.numbers

    async def ask(self, asked: ApprovalAsked) -> None:
        """Ask, unless it was asked already."""
        if number := self._questions.ask(asked):
            texts, whole = dm_say.question(asked, number)
            if not whole:
                self._unshown.add(number)
            await self._out.say(self._to, texts)

    async def answered(self, event: ApprovalAnswered) -> None:
        """Somebody answered; if it was somebody else, say so."""
        number = self._questions.close(event.call_id, self._clock.now_ms())
        if number:
            why = f" ({one_line(reveal(event.reason), 200)})" if event.reason else ""
            said = f"Question {number} was answered elsewhere: {_ANSWERS_SHOWN[event.answer]}{why}"
            await self._out.say(self._to, [said])

    def over(self, turn: TurnId) -> None:
        """A turn ended, and its questions with it."""
        self._questions.end(turn, self._clock.now_ms())

    async def reply(self, reply: Reply) -> str:
        """Give the owner a person's answer; what to say to the person, mostly nothing."""
        asked = self._questions.pick(reply, self._clock.now_ms())
        if asked is None:
            return self._which(reply)
        number = self._questions.number_of(asked.call_id)
        if number in self._unshown and reply.answer != "no":
            return f"Question {number} is too long to be answered here: look at it in the terminal."
        self._questions.close(asked.call_id, self._clock.now_ms(), by_us=True)
        won = await self._door.approve(asked.call_id, reply.answer, reply.reason)
        return "" if won else f"Question {number} is over: somebody answered before."

    def _which(self, reply: Reply) -> str:
        numbers = self._questions.numbers
        if not numbers:
            return f"Question {reply.number} is over."
        which = " or ".join(f"{reply.answer} {number}" for number in numbers)
        return f"Which question do you mean? Say: {which}"
