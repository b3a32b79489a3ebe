"""Deciding together: this worker's part as one who proposes and one who votes.

A voter accepts only what it holds, so whatever was decided lies with most of the roster. It takes
most of the roster to decide anything; with fewer it waits.
"""

import secrets
from collections.abc import Sequence
from typing import Protocol

import anyio

from training.sync.replica import Replica
from training.sync.votes import (
    Attempt,
    Vote,
    accept,
    heard_accepted,
    heard_promise,
    promise,
)
from training.sync.words import (
    Accept,
    Accepted,
    Ask,
    Decision,
    Prepare,
    Promise,
    Refusal,
    Slot,
    Tell,
    Value,
    Word,
)

_AGAIN_S = 0.5
_TURN_S = 0.3  # between one worker's first try and the next one's


class Member(Protocol):
    """What the council needs of the worker it belongs to."""

    async def say(self, word: Word, to: Sequence[str]) -> None:
        """Send to other workers."""
        ...

    async def learn(self, news: Tell) -> None:
        """Take in news."""
        ...

    async def keep(self) -> None:
        """Bring the replica to the disk."""
        ...

    def holds(self, number: int, value: Value) -> bool:
        """Whether all of a value is here; what is not gets fetched."""
        ...


class Council:
    """One worker in it."""

    def __init__(self, me: str, roster: Sequence[str], replica: Replica, member: Member) -> None:
        self._me, self._roster = me, tuple(sorted(roster))
        self._others = tuple(name for name in self._roster if name != me)
        self._replica, self._member = replica, member
        self._attempts: dict[Slot, Attempt] = {}
        self._highest: dict[Slot, int] = {}
        self._pending: dict[Slot, tuple[str, Accept]] = {}
        self._decided = anyio.Event()

    async def decide(self, slot: Slot, value: Value) -> Value:
        """Propose; what was decided comes back, () where the slot is forgotten.

        Lasts as long as most of the roster is away.
        """
        rank = (self._roster.index(self._me) - slot.round) % len(self._roster)
        await self._wait(slot, rank * _TURN_S)
        while self._is_open(slot):
            self._highest[slot] = self._highest.get(slot, 0) + 1
            ballot = (self._highest[slot], self._me)
            most = len(self._roster) // 2 + 1
            self._attempts[slot] = Attempt(slot, ballot, value, most)
            await self._everyone(Prepare(slot, ballot))
            await self._wait(slot, _AGAIN_S * (1 + secrets.randbelow(1_000) / 1_000))
        self._attempts.pop(slot, None)
        self._highest.pop(slot, None)
        return self._replica.decided.get(slot, ())

    async def hear(self, sender: str, word: Word) -> None:
        """Answer as a voter, count as a proposer."""
        match word:
            case Prepare() | Accept() if not self._is_open(word.slot):
                await self._tell_what_is(sender, word.slot)
            case Prepare():
                await self._asked(sender, word, promise(self._vote(word.slot), word))
            case Accept():
                if self._member.holds(word.slot.round, word.value):
                    await self._asked(sender, word, accept(self._vote(word.slot), word))
                else:
                    self._pending[word.slot] = sender, word
            case Refusal():
                count = max(word.promised[0], self._highest.get(word.slot, 0))
                if word.slot in self._attempts:
                    self._highest[word.slot] = count
            case Promise() | Accepted():
                await self._count(sender, word)
            case _:
                return

    async def holds_more(self) -> None:
        """Something came: vote for what waited for it."""
        for slot, (sender, word) in list(self._pending.items()):
            if not self._is_open(slot) or self._member.holds(slot.round, word.value):
                del self._pending[slot]
                await self.hear(sender, word)

    def settled(self) -> None:
        """There are decisions: who waits for them looks."""
        self._decided.set()
        self._decided = anyio.Event()

    async def _asked(
        self,
        sender: str,
        word: Prepare | Accept,
        answer: tuple[Vote, Promise] | tuple[Vote, Accepted] | None,
    ) -> None:
        if answer is None:
            promised = self._vote(word.slot).promised
            await self._say(sender, Refusal(word.slot, word.ballot, promised))
            return
        self._replica.votes[word.slot] = answer[0]
        await self._member.keep()
        await self._say(sender, answer[1])

    async def _count(self, sender: str, word: Promise | Accepted) -> None:
        attempt = self._attempts.get(word.slot)
        if attempt is None:
            return
        if isinstance(word, Promise):
            after = heard_promise(attempt, sender, word)
            self._attempts[word.slot] = after
            if after.may_ask and not attempt.may_ask:
                await self._everyone(Accept(after.slot, after.ballot, after.value))
            return
        after = heard_accepted(attempt, sender, word)
        self._attempts[word.slot] = after
        if after.is_chosen and not attempt.is_chosen:
            news = Tell(decisions=(Decision(after.slot, after.value),))
            await self._member.learn(news)
            await self._member.say(news, self._others)

    async def _tell_what_is(self, sender: str, slot: Slot) -> None:
        if sender == self._me:
            return
        if slot in self._replica.decided:
            decision = Decision(slot, self._replica.decided[slot])
            await self._member.say(Tell(decisions=(decision,)), [sender])
        else:  # forgotten: there are states to go on from
            for news in self._replica.answer(Ask(slot.round)):
                await self._member.say(news, [sender])

    async def _everyone(self, word: Prepare | Accept) -> None:
        await self._member.say(word, self._others)
        await self.hear(self._me, word)

    async def _say(self, to: str, word: Word) -> None:
        if to == self._me:
            await self.hear(to, word)
        else:
            await self._member.say(word, [to])

    async def _wait(self, slot: Slot, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            while self._is_open(slot):
                await self._decided.wait()

    def _vote(self, slot: Slot) -> Vote:
        return self._replica.votes.get(slot, Vote())

    def _is_open(self, slot: Slot) -> bool:
        return slot.round >= self._replica.floor and slot not in self._replica.decided
