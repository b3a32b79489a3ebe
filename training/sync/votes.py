"""How workers decide something once, though any of them may die: Paxos for a single value.

Pure: votes and attempts are values. A value that most of the roster accepted stays the only one,
whatever is lost, repeated or reordered. Guards against failures, not against workers that lie.
Source: Lamport, Paxos Made Simple (2001).
"""

import msgspec

from training.sync.words import NONE, Accept, Accepted, Ballot, Prepare, Promise, Slot, Value


class Vote(msgspec.Struct, frozen=True, array_like=True):
    """A voter's memory of one slot: on disk before it answers."""

    promised: Ballot = NONE
    accepted: Ballot = NONE
    value: Value = ()


def promise(vote: Vote, asked: Prepare) -> tuple[Vote, Promise] | None:
    """Promise, unless a higher ballot has the word."""
    if asked.ballot < vote.promised:
        return None
    vote = msgspec.structs.replace(vote, promised=asked.ballot)
    return vote, Promise(asked.slot, asked.ballot, vote.accepted, vote.value)


def accept(vote: Vote, asked: Accept) -> tuple[Vote, Accepted] | None:
    """Accept, unless a higher ballot has the word."""
    if asked.ballot < vote.promised:
        return None
    return Vote(asked.ballot, asked.ballot, asked.value), Accepted(asked.slot, asked.ballot)


class Attempt(msgspec.Struct, frozen=True):
    """One proposer's try; `most` answers of the roster are enough for each of its two halves."""

    slot: Slot
    ballot: Ballot
    value: Value
    most: int
    promised: frozenset[str] = frozenset()
    accepted: frozenset[str] = frozenset()
    bound: Ballot = NONE
    """The highest ballot of a value that somebody accepted: then that is proposed, not ours."""

    @property
    def may_ask(self) -> bool:
        """Whether enough promised."""
        return len(self.promised) >= self.most

    @property
    def is_chosen(self) -> bool:
        """Whether enough accepted: it is decided."""
        return len(self.accepted) >= self.most


def heard_promise(attempt: Attempt, voter: str, word: Promise) -> Attempt:
    """Count a promise; what comes after enough of them changes nothing any more."""
    if (word.slot, word.ballot) != (attempt.slot, attempt.ballot) or attempt.may_ask:
        return attempt
    if word.accepted > attempt.bound:
        attempt = msgspec.structs.replace(attempt, bound=word.accepted, value=word.value)
    return msgspec.structs.replace(attempt, promised=attempt.promised | {voter})


def heard_accepted(attempt: Attempt, voter: str, word: Accepted) -> Attempt:
    """Count an acceptance."""
    if (word.slot, word.ballot) != (attempt.slot, attempt.ballot) or not attempt.may_ask:
        return attempt
    return msgspec.structs.replace(attempt, accepted=attempt.accepted | {voter})
