"""The approvals that wait for a person's word by message, and which of them an answer is for.

A message may be hours late: a bare "yes" never answers a question that came in the place of
the one its writer saw.
"""

from hermes.core.event import ApprovalAsked
from hermes.core.ids import CallId, TurnId
from hermes.gateway.dm_words import Reply

_DOUBT_MS = 10 * 60_000


class Questions:
    """The open questions of one person, by number."""

    def __init__(self) -> None:
        self._open: dict[int, ApprovalAsked] = {}
        self._seen: set[CallId] = set()
        self._number = 0
        self._lapsed = -_DOUBT_MS

    def ask(self, asked: ApprovalAsked) -> int:
        """Number a question; 0: it was asked before."""
        if asked.call_id in self._seen:
            return 0
        self._seen.add(asked.call_id)
        self._number += 1
        self._open[self._number] = asked
        return self._number

    def number_of(self, call_id: CallId) -> int:
        """An open question's number; 0: it is not open."""
        return next((n for n, asked in self._open.items() if asked.call_id == call_id), 0)

    def close(self, call_id: CallId, now: int, *, by_us: bool = False) -> int:
        """A question is over; its number, 0 when it was not open. `now` in ms."""
        number = self.number_of(call_id)
        if number:
            del self._open[number]
            if not by_us:
                self._lapsed = now
        return number

    def end(self, turn: TurnId, now: int) -> None:
        """A turn is over, and its questions with it."""
        for asked in [one for one in self._open.values() if one.turn_id == turn]:
            self.close(asked.call_id, now)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The open ones."""
        return tuple(self._open)

    def pick(self, reply: Reply, now: int) -> ApprovalAsked | None:
        """The question that an answer is for; None when that is not sure."""
        if reply.number:
            return self._open.get(reply.number)
        if len(self._open) != 1 or now - self._lapsed < _DOUBT_MS:
            return None
        return next(iter(self._open.values()))
