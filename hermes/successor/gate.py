"""The gate: which words open it for a candidate, and why it stays shut. Pure.

Two doors: a person's word, and signed words of k trusted nodes that judged for themselves. Some
candidates know only the first. It does not guard against a person who does not read the diff.
"""

from collections.abc import Collection, Sequence

import msgspec

from hermes.core.verdict import Verdict
from hermes.errors import Refused
from hermes.store.adoptions import ApprovalRow

_PERSONS = {"terminal", "dm"}


class Terms(msgspec.Struct, frozen=True):
    """What the words have to be of.

    `verdict`: the newest one's CID. `diff`: SHA-256 of the difference as it is shown. `trusted`:
    the keys of nodes whose words count, `quorum` how many of them it takes; 0: that door is shut.
    """

    verdict: str
    diff: str
    quorum: int = 0
    trusted: frozenset[str] = frozenset()


def opens(verdict: Verdict, words: Sequence[ApprovalRow], terms: Terms) -> tuple[ApprovalRow, ...]:
    """The approvals that open the gate; raises Refused with the reason where it stays shut.

    Words on an earlier verdict, or on a difference that was shown otherwise, do not count.
    """
    check_word(verdict, by_person=True)
    latest = {(one.door, one.by or one.who): one for one in words if _counts(one, terms)}
    persons = [one for one in latest.values() if one.door in _PERSONS]
    if any(one.answer == "reject" for one in persons):
        raise Refused("a person rejected it", "who changed their mind approves it anew")
    if persons:
        return (max(persons, key=lambda one: one.at),)
    nodes = _nodes(latest.values(), terms)
    if verdict.person_only:
        why = "; ".join(verdict.person_only)
        raise Refused(f"only a person may adopt it: {why}", "hermes successor approve")
    check_word(verdict, by_person=False)
    if terms.quorum and len(nodes) >= terms.quorum:
        return nodes
    told = f"{len(nodes)} of {terms.quorum} nodes approved it" if terms.quorum else "nobody did"
    raise Refused(f"it is not approved yet: {told}", "hermes successor approve")


def check_word(verdict: Verdict, *, by_person: bool) -> None:
    """Whether a verdict can be adopted at all; raises Refused.

    What could not be decided is a person's to decide, and never a quorum's.
    """
    if verdict.word == "reject":
        why = verdict.reasons[0] if verdict.reasons else "see its evidence"
        raise Refused(f"the judge rejected it: {why}", "mend the patch and try that")
    if verdict.word == "inconclusive" and not by_person:
        raise Refused("its verdict is inconclusive, and only a person decides then")


def _counts(one: ApprovalRow, terms: Terms) -> bool:
    return one.verdict == terms.verdict and one.diff == terms.diff


def _nodes(latest: Collection[ApprovalRow], terms: Terms) -> tuple[ApprovalRow, ...]:
    by_key = {
        one.by: one
        for one in latest
        if one.door == "node" and one.answer == "approve" and one.by in terms.trusted
    }
    return tuple(by_key[key] for key in sorted(by_key))
